"""Four questions about an instance's health, and who asks each of them.

* `/health/live`: does the process run? Asked by what restarts processes.
* `/health/ready`: can this instance take a command? Asked by load balancers.
* `/health/read`: does this instance answer at all? Asked by load balancers that let reads go on while
  PostgreSQL is away. All instances share PostgreSQL, so no other instance could do better.
* `/health/flow`: does what is committed arrive? Asked by alerts and people, never by load balancers: while
  MongoDB is away every instance would be taken out, and commands would stop although they could go on.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

import msgspec

from tandem.delivery.dead_letters import DeadLetterRows
from tandem.delivery.pending import PendingRows
from tandem.http.problems import ProblemError
from tandem.http.requests import Request, Response, json_response
from tandem.http.routes import Route
from tandem.user_command.history import History, HistoryState
from tandem.user_query.witness import Witness

# Users that PostgreSQL has lost are counted up to this number.
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


class InstanceState(Protocol):
    """What an instance says of itself."""

    @property
    def why_not_ready(self) -> str | None:
        """Why it cannot take a command just now; None when it can."""

    @property
    def draining(self) -> bool:
        """Whether it is stopping."""


@dataclass(frozen=True, kw_only=True)
class FlowCheck:
    """Looks for whatever keeps committed users from MongoDB."""

    #: What MongoDB's collection lacks, in a sentence; empty when it lacks nothing.
    missing_indexes: Callable[[], str]
    dead_letters: DeadLetterRows
    history: History
    witness: Witness
    pending: PendingRows[Any]
    max_pending_age_seconds: float
    #: Why this instance's last write to MongoDB failed; empty after one that did not.
    last_failure: Callable[[], str]

    async def look(self) -> FlowHealth:
        """How the flow is.

        Raises:
            ProblemError: 503. A user waits for too long, was set aside or was lost, or an index is missing.
            Unavailable: a database does not answer.
        """
        if missing := self.missing_indexes():
            raise ProblemError(503, missing)
        await self._require_no_dead_letters()
        history = await self._require_no_lost_users()
        oldest = round(await self.pending.oldest_seconds(), 3)
        if oldest > self.max_pending_age_seconds:
            detail = (
                f"The oldest pending user has waited {oldest:.0f} s for MongoDB (limit: "
                f"{self.max_pending_age_seconds:.0f} s). "
                "Nothing is lost: it arrives once MongoDB takes writes again."
            )
            if failure := self.last_failure():
                detail += f" This instance's last try: {failure}."
            raise ProblemError(503, detail)
        return FlowHealth("flowing", oldest, history)

    async def _require_no_dead_letters(self) -> None:
        letters, error = await self.dead_letters.count()
        if letters:
            some = "1 dead letter" if letters == 1 else f"{letters} dead letters"
            detail = (
                f"Users were set aside: {some}. `tandem dead-letters list` shows which and why. "
                f"The first: {error}"
            )
            raise ProblemError(503, detail)

    async def _require_no_lost_users(self) -> HistoryState:
        """The history of PostgreSQL; a problem where MongoDB has users of one that is lost."""
        history, never_given = await self.history.state()
        suspects = await self.witness.ids_between(never_given, MOST_LOST)
        if lost := await self.history.unknown(suspects):
            some = "1 user" if len(lost) == 1 else f"{len(lost)} users"
            more = " or more" if len(lost) == MOST_LOST else ""
            detail = (
                f"MongoDB has {some}{more} that PostgreSQL has lost, the first with the id {min(lost)}: a "
                "standby that lagged behind took over, or a backup was restored, at "
                f"{history.noted_at:%Y-%m-%d %H:%M} UTC. docs/operations.md says what to do."
            )
            raise ProblemError(503, detail)
        return history


class HealthController:
    """Answers the four questions."""

    def __init__(self, app_id: str, instance: InstanceState, flow: FlowCheck) -> None:
        self._app_id = app_id
        self._instance = instance
        self._flow = flow

    def routes(self) -> list[Route]:
        """The routes of health."""
        route = partial(Route, "GET", tag="health")
        public = partial(route, responses={200: Health}, scope=None)
        reading = "This instance takes requests, though perhaps no commands"
        arriving = "What is committed reaches MongoDB, and in time"
        return [
            public("/health/live", self.live, "The process runs"),
            public("/health/ready", self.ready, "This instance can take a command", problems=(503,)),
            public("/health/read", self.read, reading, problems=(503,)),
            route("/health/flow", self.flow, arriving, responses={200: FlowHealth}, problems=(503,)),
        ]

    async def live(self, _: Request[Any, Any, None]) -> Response:
        """Always 200."""
        return json_response(Health("live", self._app_id))

    async def ready(self, _: Request[Any, Any, None]) -> Response:
        """200, or 503 with the reason."""
        if reason := self._instance.why_not_ready:
            raise ProblemError(503, f"{self._app_id} is not ready. {reason}")
        return json_response(Health("ready", self._app_id))

    async def read(self, _: Request[Any, Any, None]) -> Response:
        """200 until it stops, whatever the databases do."""
        if self._instance.draining:
            raise ProblemError(503, f"{self._app_id} is stopping.")
        return json_response(Health("open", self._app_id))

    async def flow(self, _: Request[Any, Any, None]) -> Response:
        """200, or 503 with what keeps users from MongoDB."""
        return json_response(await self._flow.look())
