"""Four questions about health, and who asks them.

`/health/live`: does the process run? (Whoever restarts processes.)
`/health/ready`: can this instance take a command? (Load balancers.)
`/health/read`: may this instance be asked at all? (Load balancers, where reads are to go on while PostgreSQL
is away: all instances share it, so no other one could do better.)
`/health/flow`: does what is committed arrive? (Alerts and people; never load balancers: while MongoDB is away
every instance would leave at once, and commands would stop although they could go on.)
"""

from typing import Any

import msgspec

from tandem.app.bootstrap import Instance
from tandem.http.problems import ProblemError
from tandem.http.requests import Request, Response, json_response
from tandem.http.routes import Route
from tandem.user_command.history import HistoryState

# Of the users that PostgreSQL has lost, so many are counted.
MOST_LOST = 1_000


class Health(msgspec.Struct, frozen=True, rename="camel"):
    """The answer of an instance that is well."""

    status: str
    app_id: str


class FlowHealth(msgspec.Struct, frozen=True, rename="camel"):
    """How long the oldest user has been waiting to reach MongoDB and come back, and PostgreSQL's history."""

    status: str
    oldest_pending_seconds: float
    history: HistoryState


class HealthController:
    """Answers the four questions."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance

    def routes(self) -> list[Route]:
        """The routes of health."""
        return [
            Route(
                "GET",
                "/health/live",
                self.live,
                "The process runs",
                responses={200: Health},
                scope=None,
                tag="health",
            ),
            Route(
                "GET",
                "/health/ready",
                self.ready,
                "This instance can take a command",
                responses={200: Health},
                problems=(503,),
                scope=None,
                tag="health",
            ),
            Route(
                "GET",
                "/health/read",
                self.read,
                "This instance takes requests, though perhaps no commands",
                responses={200: Health},
                problems=(503,),
                scope=None,
                tag="health",
            ),
            Route(
                "GET",
                "/health/flow",
                self.flow,
                "What is committed reaches MongoDB, and in time",
                responses={200: FlowHealth},
                problems=(503,),
                tag="health",
            ),
        ]

    async def live(self, request: Request[Any, Any, None]) -> Response:
        """Always 200."""
        del request
        return json_response(Health("live", self._instance.settings.app_id))

    async def ready(self, request: Request[Any, Any, None]) -> Response:
        """200, or 503 with the reason."""
        del request
        if reason := self._instance.why_not_ready:
            raise ProblemError(503, f"{self._instance.settings.app_id} is not ready. {reason}")
        return json_response(Health("ready", self._instance.settings.app_id))

    async def read(self, request: Request[Any, Any, None]) -> Response:
        """200 until it stops, whatever the databases do: no other instance could answer better."""
        del request
        if self._instance.draining:
            raise ProblemError(503, f"{self._instance.settings.app_id} is stopping.")
        return json_response(Health("open", self._instance.settings.app_id))

    async def flow(self, request: Request[Any, Any, None]) -> Response:
        """200, or 503: a user waits for too long, was set aside or was lost, or MongoDB lacks an index."""
        del request
        if missing := self._instance.background.missing_indexes:
            raise ProblemError(503, missing)
        letters, error = await self._instance.adapters.dead_letters.count()
        if letters:
            some = "1 dead letter" if letters == 1 else f"{letters} dead letters"
            detail = (
                f"Users were set aside: {some}. `tandem dead-letters list` shows which and why. "
                f"The first: {error}"
            )
            raise ProblemError(503, detail)
        history = await self._history()
        oldest = round(await self._instance.adapters.pending.oldest_seconds(), 3)
        limit = self._instance.settings.max_pending_age_seconds
        if oldest > limit:
            detail = (
                f"The oldest pending user has waited {oldest:.0f} s for MongoDB (limit: {limit:.0f} s). "
                "Nothing is lost: it arrives once MongoDB takes writes again."
            )
            if trouble := self._instance.flow.query_service.trouble:
                detail += f" This instance's last try: {trouble}."
            raise ProblemError(503, detail)
        return json_response(FlowHealth("flowing", oldest, history))

    async def _history(self) -> HistoryState:
        """The history of PostgreSQL; a problem where MongoDB has users of one that is lost."""
        history, never_given = await self._instance.adapters.history.state()
        suspects = await self._instance.adapters.witness.ids_between(never_given, MOST_LOST)
        if lost := await self._instance.adapters.history.unknown(suspects):
            some = "1 user" if len(lost) == 1 else f"{len(lost)} users"
            more = " or more" if len(lost) == MOST_LOST else ""
            detail = (
                f"MongoDB has {some}{more} that PostgreSQL has lost, the first with the id {min(lost)}: a "
                "standby that lagged behind took over, or a backup was restored, at "
                f"{history.noted_at:%Y-%m-%d %H:%M} UTC. docs/operations.md says what to do."
            )
            raise ProblemError(503, detail)
        return history
