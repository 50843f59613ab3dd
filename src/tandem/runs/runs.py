"""Runs over HTTP: their list, page by page, and their statistics, a row for each run and instance."""

import base64
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Annotated

import msgspec
from msgspec import Meta

from tandem.http.problems import bad_parameter
from tandem.http.requests import NoArguments, Request, Response, json_response
from tandem.http.routes import Route
from tandem.runs.kinds import OfKind, part_of
from tandem.runs.statistics import Run, RunStatistics, Statistics
from tandem.user.profile import Seed

_Seed = Annotated[str, Meta(max_length=100, pattern=r"^[^\x00]+$")]
decode_place = msgspec.json.Decoder(tuple[Annotated[datetime, Meta(tz=True)], _Seed]).decode

Cursor = Annotated[str, Meta(max_length=1_000, description="The `next` of the page before.")]


class RunsPage(msgspec.Struct, frozen=True):
    """Some runs, and where the next ones begin; null after the last."""

    runs: list[Run]
    next: str | None


class RunsQuery(OfKind, frozen=True):
    """Which runs to list."""

    limit: Annotated[int, Meta(ge=1, le=200, description="How many at most.")] = 50
    before: Cursor = ""


class StatisticsQuery(OfKind, frozen=True):
    """Which run to show; all without it."""

    seed: Seed | None = None


class RunsController:
    """Lists runs, and shows their statistics."""

    def __init__(self, statistics: Mapping[str, Statistics]) -> None:
        """`statistics` are those of each kind, by its name."""
        self._statistics = statistics

    def routes(self) -> list[Route]:
        """The two routes."""
        route = partial(Route, "GET", problems=(503,), tag="statistics")
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
        statistics = part_of(self._statistics, query)
        runs = await statistics.newest(query.limit, _place(query.before) if query.before else None)
        more = len(runs) == query.limit
        return json_response(RunsPage(runs, _cursor(runs[-1]) if more else None))

    async def stats(self, request: Request[NoArguments, StatisticsQuery, None]) -> Response:
        """The statistics of one run or of all."""
        return json_response(await part_of(self._statistics, request.query).runs(request.query.seed))


def _cursor(last: Run) -> str:
    place = msgspec.json.encode((last.last_created_at, last.seed))
    return base64.urlsafe_b64encode(place).decode()


def _place(cursor: str) -> tuple[datetime, str]:
    try:
        moment, seed = decode_place(base64.urlsafe_b64decode(cursor))
        # Within 14 hours of either end of time, there may be no such moment in UTC.
        return moment.astimezone(UTC), seed
    except (ValueError, OverflowError):
        raise bad_parameter("before", "must be the `next` of another page") from None
