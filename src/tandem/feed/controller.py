"""The feed over HTTP: pages of lines, or a stream of server-sent events."""

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from tandem.feed.cursor import FIRST_ERA, Cursor, beginning_of, cursor_of
from tandem.feed.following import EVENTS_AT_A_TIME, FeedFollowing, lines_of
from tandem.feed.logs import FeedEvent
from tandem.feed.pages import Wanted
from tandem.http.preferences import preferred_wait, wait_applied
from tandem.http.problems import RETRY_AFTER, bad_parameter
from tandem.http.requests import AT_ONCE, EVENT_STREAM, NoArguments, Request, Response, StreamResponse
from tandem.http.routes import Route, Scope
from tandem.ids import CellNumber
from tandem.kernel.cells import Everywhere, SilentCells
from tandem.user.profile import Seed

LINES = "application/x-ndjson"
NEXT_CURSOR = "Next-Cursor"
#: Instead of a cursor: from now on.
NOW = "now"
DESCRIPTION = (
    "Every event of users and of installed aggregates, a line of JSON for each, in an order in which none "
    "ever comes before one that was answered already. Go on with the last line's `cursor`, or with the "
    "header `Next-Cursor`, which moves on also where a filter lets nothing pass. An answer may have fewer "
    "than `limit`; at the end it is empty. With `Prefer: wait=S` it waits there for at most S seconds (10 "
    "at most). With `Accept: text/event-stream` the feed comes as server-sent events without end: each `id` "
    "is a cursor, each `data` an event. When a stream ends, open another with `Last-Event-ID`."
)
WATCH = (
    "\n\nThat stream never ends. Watch it in a terminal: `curl -N -H 'Accept: text/event-stream' "
    "'http://127.0.0.1:8080/api/v1/events?after=now'`."
)

Names = Annotated[str, Meta(max_length=500)]


class FeedQuery(msgspec.Struct, frozen=True):
    """Which events to read."""

    after: Annotated[
        str, Meta(max_length=120, description="A cursor; `now`: from now on; empty: from the beginning.")
    ] = ""
    limit: Annotated[int, Meta(ge=1, le=1000, description="How many at most.")] = 100
    seed: Seed | None = None
    kind: Annotated[Names, Meta(description="`user`, or names of aggregates, with commas; empty: all.")] = ""
    archived: Annotated[
        int,
        Meta(ge=0, le=2**31 - 1, description="The number of the last archive that was read from its file."),
    ] = 0
    type: Annotated[Names, Meta(description="Types such as `CREATED`, with commas; empty: all.")] = ""
    cell: Annotated[
        CellNumber | None,
        Meta(
            description="The cell whose events to read. Where there are several, each has a feed of its own, "
            "with its own cursors, and one must be named.",
        ),
    ] = None


class FeedController:
    """Lets subscribers read the feed."""

    def __init__(self, cells: Everywhere[FeedFollowing]) -> None:
        self._cells = cells

    def routes(self) -> list[Route]:
        """The one route."""
        return [
            Route(
                "GET",
                "/api/v1/events",
                self.events,
                "The feed of all events",
                query_type=FeedQuery,
                responses={200: FeedEvent},
                headers={200: {NEXT_CURSOR: "Where to go on."}, 503: RETRY_AFTER},
                request_headers={
                    "Last-Event-ID": "Of a stream that ended: the last `id`. It goes before `after`.",
                    "Prefer": "`wait=S`: wait for an event for at most S seconds (10 at most).",
                },
                problems=(410, 503),
                scope=Scope.FEED,
                tag="feed",
                media_type=LINES,
                description=DESCRIPTION + WATCH,
                cancel_on_disconnect=True,
            )
        ]

    async def events(self, request: Request[NoArguments, FeedQuery, None]) -> Response | StreamResponse:
        """A page, or the stream."""
        query = request.query
        wanted = Wanted(query.seed, _names(query.kind), _names(query.type), query.archived)
        following = self._of_cell(query.cell)
        after = await _place(request, following)
        if EVENT_STREAM in (request.header("Accept") or ""):
            following.require_room()
            page = await following.page(after, wanted, EVENTS_AT_A_TIME)
            stream = following.stream(page, wanted)
            return StreamResponse(stream, EVENT_STREAM, headers=AT_ONCE, endless=True)
        wait = preferred_wait(request)
        page = await (
            following.page_within(after, wanted, query.limit, wait)
            if wait
            else following.page(after, wanted, query.limit)
        )
        headers = ((NEXT_CURSOR, str(page.cursor)), *wait_applied(wait))
        return Response(200, lines_of(page), LINES, headers)

    def _of_cell(self, number: int | None) -> FeedFollowing:
        """The feed of this cell; of the only one where none is named."""
        if number is None and self._cells.is_alone:
            return self._cells.own
        part = self._cells.named(-1 if number is None else number)
        if part.voice.is_silent:
            raise SilentCells([part.number])
        return part.source


async def _place(request: Request[Any, FeedQuery, None], following: FeedFollowing) -> Cursor:
    last_id = request.header("Last-Event-ID")
    name, text = ("Last-Event-ID", last_id) if last_id else ("after", request.query.after)
    if not text:
        return beginning_of(FIRST_ERA)
    if text == NOW:
        return await following.now()
    if (cursor := cursor_of(text)) is None:
        raise bad_parameter(name, "is no cursor: send one as it was answered, `now`, or nothing")
    return cursor


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]
