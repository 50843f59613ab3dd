"""Runs over HTTP: their list, page by page, and their statistics, a row for each run and instance."""

import base64
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, UnsetType

from tandem.http.problems import bad_parameter
from tandem.http.requests import NoArguments, Request, Response, json_response
from tandem.http.routes import Route
from tandem.http.silence import SILENT_CELLS, silence
from tandem.runs.everywhere import AllRuns
from tandem.runs.judging import Judge
from tandem.runs.kinds import OfKind, part_of
from tandem.runs.statistics import Place, Run, RunStatistics
from tandem.runs.verdict import ShortVerdict
from tandem.user.profile import Seed

_Seed = Annotated[str, Meta(max_length=100, pattern=r"^[^\x00]+$")]
decode_place = msgspec.json.Decoder(tuple[Annotated[datetime, Meta(tz=True)], _Seed]).decode

Cursor = Annotated[str, Meta(max_length=1_000, description="The `next` of the page before.")]


class RunsPage(msgspec.Struct, frozen=True):
    """Some runs, and where the next ones begin; null after the last."""

    runs: Sequence[Run]
    next: str | None
    #: How those of them went that were judged, by seed.
    verdicts: Mapping[str, ShortVerdict]
    #: Cells that did not answer in time, and are left out; missing where all have.
    silent_cells: Sequence[int] | UnsetType = msgspec.field(name="silentCells", default=UNSET)


class RunsQuery(OfKind, frozen=True):
    """Which runs to list."""

    limit: Annotated[int, Meta(ge=1, le=200, description="How many at most.")] = 50
    before: Cursor = ""


class StatisticsQuery(OfKind, frozen=True):
    """Which run to show; all without it."""

    seed: Seed | None = None


class RunsController:
    """Lists runs, and shows their statistics."""

    def __init__(self, runs: Mapping[str, AllRuns], judges: Mapping[str, Judge]) -> None:
        """`runs` are those of each kind, by its name, and `judges` know how they went."""
        self._runs = runs
        self._judges = judges

    def routes(self) -> list[Route]:
        """The two routes."""
        route = partial(Route, "GET", problems=(503,), tag="statistics", headers={200: SILENT_CELLS})
        return [
            route(
                "/api/v1/runs",
                self.page,
                "Runs, those with the newest users first",
                query_type=RunsQuery,
                responses={200: RunsPage},
                description="The cost grows with the number of runs, not with that of users.",
            ),
            route(
                "/api/v1/stats",
                self.stats,
                "Statistics of runs, a row for each seed and instance",
                query_type=StatisticsQuery,
                responses={200: list[RunStatistics]},
                description="Counts are exact; lag percentiles (from histogram buckets) within 5 %.",
            ),
        ]

    async def page(self, request: Request[NoArguments, RunsQuery, None]) -> Response:
        """A page of runs."""
        query = request.query
        runs = part_of(self._runs, query)
        page = await runs.newest(query.limit, _place(query.before) if query.before else None)
        following = None if page.next is None else _cursor(page.next)
        verdicts = await part_of(self._judges, query).short([run.seed for run in page.runs])
        answer = RunsPage(page.runs, following, verdicts, page.silent or UNSET)
        return json_response(answer, headers=silence(page.silent))

    async def stats(self, request: Request[NoArguments, StatisticsQuery, None]) -> Response:
        """The statistics of one run or of all."""
        rows, silent = await part_of(self._runs, request.query).statistics(request.query.seed)
        return json_response(rows, headers=silence(silent))


def _cursor(place: Place) -> str:
    return base64.urlsafe_b64encode(msgspec.json.encode(place)).decode()


def _place(cursor: str) -> Place:
    try:
        moment, seed = decode_place(base64.urlsafe_b64decode(cursor))
        # Within 14 hours of either end of time, there may be no such moment in UTC.
        return moment.astimezone(UTC), seed
    except (ValueError, OverflowError):
        raise bad_parameter("before", "must be the `next` of another page") from None
