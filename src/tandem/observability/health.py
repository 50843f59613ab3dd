"""Four questions about an instance's health, and who asks each of them.

* `/health/live`: does the process run? Asked by what restarts processes.
* `/health/ready`: can this instance take a command? Asked by load balancers. Of an instance in a cell that is
  draining there are two answers: it takes no command that creates something, and all others (`?for=changes`).
* `/health/read`: does this instance answer at all? Asked by load balancers that let reads go on while
  PostgreSQL is away. All instances share PostgreSQL, so no other instance could do better.
* `/health/flow`: does what is committed arrive? Asked by alerts and people, never by load balancers: while
  MongoDB is away every instance would be taken out, and commands would stop although they could go on.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any, Literal, Protocol

import msgspec
from msgspec import Meta

from tandem.cqrs.user import KIND
from tandem.delivery.flow_state import Latest
from tandem.http.problems import ProblemError
from tandem.http.requests import Request, Response, json_response
from tandem.http.routes import Route
from tandem.kernel import Unavailable
from tandem.observability.flows import ObservedFlow, ObservedReactions
from tandem.user_command.history import History, HistoryState
from tandem.verification.chunks import VerifiedState
from tandem.verification.differences import What

# Users, say, that PostgreSQL has lost are counted up to this number.
MOST_LOST = 1_000


class Health(msgspec.Struct, frozen=True, rename="camel"):
    """The answer of an instance that is well."""

    status: str
    app_id: str


class ReadyQuery(msgspec.Struct, frozen=True, rename={"for_": "for"}):
    """What it is to be ready for."""

    for_: Annotated[
        Literal["creates", "changes"],
        Meta(
            description="`changes`: commands on what there is; `creates`: those that make something new, too."
        ),
    ] = "creates"


class FlowHealth(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """How long the oldest user has been waiting to reach MongoDB and come back, and PostgreSQL's history."""

    status: str
    oldest_pending_seconds: float
    history: HistoryState
    #: How long the oldest of each installed aggregate has been waiting, by the aggregate's name.
    oldest_pending_seconds_of: dict[str, float] = {}
    #: How long the oldest reaction has been waiting; not there where no aggregate is installed.
    oldest_reaction_seconds: float | None = None
    #: How both stores compared, of each kind that was verified.
    verified: list[VerifiedState] = []


class InstanceState(Protocol):
    """What an instance says of itself."""

    @property
    def why_not_ready(self) -> str | None:
        """Why it cannot take any command just now; None when it can."""

    @property
    def why_nothing_new(self) -> str | None:
        """Why it cannot take a command that creates something; None when it can."""

    @property
    def draining(self) -> bool:
        """Whether it is stopping."""


@dataclass(frozen=True, kw_only=True)
class FlowCheck:
    """Looks for whatever keeps what is committed from MongoDB, or from what has to follow."""

    #: What MongoDB's collection lacks, in a sentence; empty when it lacks nothing.
    missing_indexes: Callable[[], str]
    users: ObservedFlow
    #: Of each installed aggregate.
    aggregates: Sequence[ObservedFlow]
    #: None where no aggregate is installed.
    reactions: ObservedReactions | None
    history: History
    #: How both stores compared, as the scrubbers of all instances have found; None: nobody knows.
    verified: Latest[Sequence[VerifiedState]]
    max_pending_age_seconds: float

    async def look(self) -> FlowHealth:
        """How the flow is.

        Raises:
            ProblemError: 503. Something waits for too long, was set aside, was lost or differs, a reaction
                fails again and again, or an index is missing.
            Unavailable: a database does not answer.
        """
        if missing := self.missing_indexes():
            raise ProblemError(503, missing)
        flows = (self.users, *self.aggregates)
        for flow in flows:
            await _require_no_dead_letters(flow)
        history = await self._require_none_lost(flows)
        users, *others = [await self._require_recent(flow) for flow in flows]
        verified = _require_equal(await self.verified.latest())
        return FlowHealth(
            "flowing",
            users,
            history,
            {flow.kind: oldest for flow, oldest in zip(self.aggregates, others, strict=True)},
            await self._require_recent_reactions(self.reactions) if self.reactions else None,
            list(verified),
        )

    async def _require_recent(self, flow: ObservedFlow) -> float:
        """For how many seconds the oldest pending one has waited; a problem if that is too long."""
        oldest = round(await flow.pending.oldest_seconds(), 3)
        if oldest > self.max_pending_age_seconds:
            detail = (
                f"The oldest pending {flow.kind} has waited {oldest:.0f} s for MongoDB (limit: "
                f"{self.max_pending_age_seconds:.0f} s). "
                "Nothing is lost: it arrives once MongoDB takes writes again."
            )
            if failure := flow.trouble():
                detail += f" This instance's last try: {failure}."
            raise ProblemError(503, detail)
        return oldest

    async def _require_recent_reactions(self, reactions: ObservedReactions) -> float:
        """For how many seconds the oldest one has waited; a problem if that is too long, or one fails."""
        left = await reactions.left.latest()
        if left is None:
            raise Unavailable("PostgreSQL does not answer")
        if left.failing is not None:
            detail = (
                f"A reaction fails again and again: {left.failing}. The logs say where. It is tried again, "
                "and goes on by itself once its cause is away."
            )
            raise ProblemError(503, detail)
        oldest = round(left.oldest_seconds, 3)
        if oldest > self.max_pending_age_seconds:
            detail = (
                f"The oldest of {left.pending:,} reactions has waited {oldest:.0f} s to be carried out "
                f"(limit: {self.max_pending_age_seconds:.0f} s). The table tandem_reaction shows which."
            )
            raise ProblemError(503, detail)
        return oldest

    async def _require_none_lost(self, flows: Sequence[ObservedFlow]) -> HistoryState:
        """The history of PostgreSQL; a problem where MongoDB has users, say, of one that is lost."""
        history, never_given = await self.history.state()
        for flow in flows:
            suspects = await flow.witness.ids_between(never_given, MOST_LOST)
            if lost := await self.history.unknown(suspects, flow.kind):
                some = f"1 {flow.kind}" if len(lost) == 1 else f"{len(lost)} {flow.plural}"
                more = " or more" if len(lost) == MOST_LOST else ""
                detail = (
                    f"MongoDB has {some}{more} that PostgreSQL has lost, the first with the id {min(lost)}: "
                    "a standby that lagged behind took over, or a backup was restored, at "
                    f"{history.noted_at:%Y-%m-%d %H:%M} UTC. docs/operations.md says what to do."
                )
                raise ProblemError(503, detail)
        return history


async def _require_no_dead_letters(flow: ObservedFlow) -> None:
    letters, error = await flow.dead_letters.count()
    if letters:
        some = "1 dead letter" if letters == 1 else f"{letters} dead letters"
        option = "" if flow.kind == KIND else f" --aggregate {flow.plural}"
        detail = (
            f"{flow.plural.capitalize()} were set aside: {some}. `tandem dead-letters list{option}` shows "
            f"which and why. The first: {error}"
        )
        raise ProblemError(503, detail)


def _require_equal(verified: Sequence[VerifiedState] | None) -> Sequence[VerifiedState]:
    """How both stores compared; a problem where they differ."""
    if verified is None:
        raise Unavailable("PostgreSQL does not answer")
    for state in verified:
        # What a lost history gave was looked for just now: see `_require_none_lost`.
        known = {what: count for what, count in state.differences.items() if count and what != What.LOST}
        if found := [f"{count:,} {what}" for what, count in known.items()]:
            detail = (
                f"PostgreSQL and MongoDB differ, of the kind {state.kind}: {', '.join(found)}. "
                "`tandem verify` shows which, `tandem verify --repair` heals them."
            )
            raise ProblemError(503, detail)
    return verified


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
            public(
                "/health/ready",
                self.ready,
                "This instance can take a command",
                query_type=ReadyQuery,
                problems=(503,),
            ),
            public("/health/read", self.read, reading, problems=(503,)),
            route("/health/flow", self.flow, arriving, responses={200: FlowHealth}, problems=(503,)),
        ]

    async def live(self, _: Request[Any, Any, None]) -> Response:
        """Always 200."""
        return json_response(Health("live", self._app_id))

    async def ready(self, request: Request[Any, ReadyQuery, None]) -> Response:
        """200, or 503 with the reason."""
        instance = self._instance
        reason = instance.why_nothing_new if request.query.for_ == "creates" else instance.why_not_ready
        if reason:
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
