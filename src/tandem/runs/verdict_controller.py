"""Verdicts over HTTP: make one, read it, and take it along as one file."""

from collections.abc import Mapping
from functools import partial

import msgspec

from tandem.http.problems import RETRY_AFTER, ProblemError
from tandem.http.requests import Request, Response, json_response
from tandem.http.routes import Route
from tandem.runs.happenings_controller import RunPath
from tandem.runs.judging import Judge
from tandem.runs.kinds import OfKind, part_of
from tandem.runs.verdict import Acknowledged, CountedBy, Verdict
from tandem.runs.verdict_html import SECURITY, page_of

HTML = "text/html; charset=utf-8"
PATH = "/api/v1/runs/{seed}/verdict"
DESCRIPTION = (
    "Both databases are compared for this run, page by page, while everything goes on: one run at a time "
    "on an instance, for two minutes at most. What takes longer than eight seconds is answered with the "
    "state `comparing`; ask for the verdict again then. Without `acknowledged`, what was said before counts."
)


class VerdictRequest(msgspec.Struct, frozen=True, rename="camel"):
    """What the sender of a run has counted."""

    acknowledged: Acknowledged | None = None
    counted_by: CountedBy | None = None


class VerdictController:
    """Answers how runs went."""

    def __init__(self, judges: Mapping[str, Judge]) -> None:
        """`judges` are those of each kind, by its name."""
        self._judges = judges

    def routes(self) -> list[Route]:
        """The three routes."""
        route = partial(
            Route,
            path_type=RunPath,
            query_type=OfKind,
            problems=(404, 503),
            headers={503: RETRY_AFTER},
            tag="statistics",
        )
        return [
            route(
                "POST",
                PATH,
                self.make,
                "Judge a run: compare both databases for it",
                body_type=VerdictRequest,
                responses={200: Verdict},
                description=DESCRIPTION,
            ),
            route(
                "GET",
                PATH,
                self.show,
                "How a run went, as it was judged last",
                responses={200: Verdict},
            ),
            route(
                "GET",
                f"{PATH}.html",
                self.show_page,
                "The same as one file with its charts, for people",
                responses={200: str},
                media_type=HTML,
            ),
        ]

    async def make(self, request: Request[RunPath, OfKind, VerdictRequest]) -> Response:
        """Judge it."""
        judge, told = part_of(self._judges, request.query), request.body
        return json_response(await judge.judge(request.path.seed, told.acknowledged, told.counted_by))

    async def show(self, request: Request[RunPath, OfKind, None]) -> Response:
        """The verdict that is kept."""
        return json_response(await self._find(request))

    async def show_page(self, request: Request[RunPath, OfKind, None]) -> Response:
        """The verdict as a page of its own."""
        page = page_of(await self._find(request))
        return Response(200, page.encode(), HTML, security=SECURITY)

    async def _find(self, request: Request[RunPath, OfKind, None]) -> Verdict:
        verdict = await part_of(self._judges, request.query).find(request.path.seed)
        if verdict is None:
            detail = f"Nobody has asked how run {request.path.seed!r} went. POST here to have it judged."
            raise ProblemError(404, detail)
        return verdict
