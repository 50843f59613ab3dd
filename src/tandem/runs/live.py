"""The live view over HTTP: a stream of server-sent events."""

from collections.abc import Mapping
from typing import Any

from tandem.http.problems import RETRY_AFTER, try_again
from tandem.http.requests import AT_ONCE, EVENT_STREAM, Request, StreamResponse
from tandem.http.routes import Route
from tandem.runs.kinds import OfKind, part_of
from tandem.runs.live_feed import LiveFeed
from tandem.runs.live_run import LiveEvent
from tandem.user.profile import Seed

DESCRIPTION = (
    "Server-sent events without end: one at once, then one a second, each `data:` with one JSON object. The "
    "first one has the run's history. Every instance sends the same. When a stream ends, open another."
)


class LiveQuery(OfKind, frozen=True):
    """Which run to watch."""

    seed: Seed


class LiveController:
    """Lets people watch a run."""

    def __init__(self, feeds: Mapping[str, LiveFeed]) -> None:
        """`feeds` are those of each kind, by its name."""
        self._feeds = feeds

    def routes(self) -> list[Route]:
        """The one route."""
        return [
            Route(
                "GET",
                "/api/v1/live",
                self.watch,
                "Watch a run",
                query_type=LiveQuery,
                responses={200: LiveEvent},
                headers={503: RETRY_AFTER},
                problems=(503,),
                tag="statistics",
                media_type=EVENT_STREAM,
                description=DESCRIPTION,
            )
        ]

    async def watch(self, request: Request[Any, LiveQuery, None]) -> StreamResponse:
        """The stream of one run."""
        seed, feed = request.query.seed, part_of(self._feeds, request.query)
        if not feed.has_room_for(seed):
            raise try_again(5, "Too many are watching through this instance. Try again in a few seconds.")
        return StreamResponse(feed.watch(seed), EVENT_STREAM, headers=AT_ONCE, endless=True)
