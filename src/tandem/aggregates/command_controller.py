"""The command side of an aggregate over HTTP: its commands, its history, its state now or then."""

from collections.abc import Sequence
from datetime import datetime
from functools import partial
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from tandem.aggregates.events import StoredEvent, state_after, todays_data
from tandem.aggregates.flow import AggregateFlow
from tandem.aggregates.messages import Outcome, Sent, UnreadableAggregate
from tandem.delivery.contest import until_settled
from tandem.delivery.moved_keys import MovedKeys
from tandem.delivery.placement import Placement
from tandem.http.preconditions import ETAG, IF_MATCH, IF_NONE_MATCH, etag, unless_known
from tandem.http.preferences import preferred_wait, wait_applied
from tandem.http.problems import ProblemError
from tandem.http.requests import Headers, NoArguments, Request, Response, json_response
from tandem.http.routes import Route, Scope
from tandem.ids import HIGHEST_ID
from tandem.kernel.cells import Everywhere
from tandem.user_command.command_requests import (
    ANSWERED,
    IDEMPOTENCY_KEY,
    NAMED_CELL,
    RETRY,
    RunQuery,
    expected,
    idempotency,
    named_cell,
    prefer,
    traceparent_of,
)
from tandem.user_command.event_log import UnreadableEvent
from tandem.user_command.user_history import StateQuery, events_by_then


class AggregatePath(msgspec.Struct, frozen=True):
    """The path of one aggregate."""

    id: Annotated[int, Meta(ge=1, le=HIGHEST_ID, description="Its id.")]


class Answered(msgspec.Struct, frozen=True, rename="camel"):
    """What a command has led to, as PostgreSQL has committed it."""

    id: int
    seed: str
    app_id: str
    status: str
    version: int
    created_at: datetime
    updated_at: datetime | None


class AggregateState(msgspec.Struct, frozen=True, rename="camel"):
    """An aggregate as PostgreSQL has it, now or then."""

    id: int
    seed: str
    app_id: str
    version: int
    created_at: datetime
    updated_at: datetime | None
    state: dict[str, Any]


class HistoryEvent(msgspec.Struct, frozen=True, rename="camel"):
    """What has happened: an event in today's format. Those of the flow itself have no data.

    SYNCRONIZED says which version MongoDB has acknowledged, REFRESHED that something else that the document
    shows has changed. `cause` is the reaction that led to an event, or null: a client's command.
    """

    version: int
    event_type: str
    event_data: dict[str, Any] | None
    seed: str
    app_id: str
    created_at: datetime
    cause: str | None


class AggregateCommandController:
    """Takes commands for one kind of aggregate, and shows what PostgreSQL has of it."""

    def __init__(
        self,
        cells: Everywhere[AggregateFlow],
        placement: Placement,
        keys: MovedKeys[Outcome],
        *,
        require_if_match: bool = False,
    ) -> None:
        """`cells` are the flows of all cells: an aggregate is read from the one that its id names."""
        self._cells = cells
        self._flow = flow = cells.own
        self._placement = placement
        self._keys = keys
        self._kind = flow.aggregate.name
        self._require_if_match = require_if_match

    def routes(self) -> list[Route]:
        """A route for each command of clients, and three for what PostgreSQL has."""
        aggregate, kind = self._flow.aggregate, self._kind
        path = f"/api/v1/{kind}-command"
        tag = f"{aggregate.plural}: command side (PostgreSQL)"
        wait = prefer(f"the {kind}")
        read = partial(Route, "GET", tag=tag, scope=Scope.QUERY)
        create = Route(
            "POST",
            path,
            self.create,
            f"{aggregate.creates.__name__}: create one",
            query_type=RunQuery,
            body_type=aggregate.creates,
            responses={201: Answered},
            request_headers=IDEMPOTENCY_KEY | NAMED_CELL | wait,
            headers={201: {"Location": f"Where the {kind} is in PostgreSQL."} | ANSWERED} | RETRY,
            problems=(409, 421, 422, 503),
            scope=Scope.COMMAND,
            tag=tag,
            description=_said_of(aggregate.creates),
        )
        changes = [
            Route(
                "POST",
                f"{path}/{{id}}/{segment}",
                partial(self.change, segment),
                command.__name__,
                path_type=AggregatePath,
                body_type=command,
                responses={200: Answered},
                request_headers=IDEMPOTENCY_KEY | IF_MATCH | wait,
                headers={200: ANSWERED} | RETRY,
                problems=(404, 409, 410, 412, 421, 422, 428, 503),
                scope=Scope.COMMAND,
                tag=tag,
                description=_said_of(command),
            )
            for segment, command in aggregate.commands.items()
        ]
        return [
            create,
            *changes,
            read(
                f"{path}/{{id}}",
                self.find,
                "One as PostgreSQL has it; or its state at a version or a moment",
                path_type=AggregatePath,
                query_type=StateQuery,
                responses={200: AggregateState, 304: None},
                request_headers=IF_NONE_MATCH,
                headers={200: ETAG},
                problems=(404, 410, 503),
            ),
            read(
                f"{path}/{{id}}/events",
                self.events,
                "What has happened to one, in order",
                path_type=AggregatePath,
                responses={200: list[HistoryEvent]},
                problems=(404, 503),
            ),
        ]

    async def create(self, request: Request[NoArguments, RunQuery, Any]) -> Response:
        """Carry out the command that creates, and answer after its commit."""
        cell = named_cell(request)
        self._placement.require_named(cell)
        self._placement.require_open()
        seed = request.query.seed
        key = idempotency(request, f"{self._kind} {seed}")
        sent = Sent(request.body, seed, idempotency=key, traceparent=traceparent_of(request.headers))
        outcome = await until_settled(
            lambda: self._keys.once(key, lambda: self._flow.creates.submit(sent), is_named=cell is not None)
        )
        location = ("Location", f"/api/v1/{self._kind}-command/{outcome.stored.id}")
        return await self._answer(request, outcome, 201, (location,))

    async def change(self, segment: str, request: Request[AggregatePath, NoArguments, Any]) -> Response:
        """Carry out a command on one that is there, and answer after its commit."""
        id_ = request.path.id
        self._placement.require_own(id_)
        scope = f"{self._kind} {id_} {segment} {request.header('If-Match')}"
        sent = Sent(
            request.body,
            id=id_,
            expected=expected(request, require=self._require_if_match),
            idempotency=idempotency(request, scope),
            traceparent=traceparent_of(request.headers),
        )
        return await self._answer(request, await self._flow.execute(sent), 200)

    async def _answer(
        self, request: Request[Any, Any, Any], outcome: Outcome, status: int, headers: Headers = ()
    ) -> Response:
        stored = outcome.stored
        headers = (*headers, etag(stored.version))
        if outcome.is_replayed:
            headers += (("Idempotent-Replayed", "true"),)
        # What a key has made in another cell is not waited for here.
        wait = preferred_wait(request) if self._placement.has(stored.id) else 0.0
        is_synchronized = wait and await self._flow.acknowledgements.is_synchronized(stored.id, wait)
        reached = "SYNCRONIZED" if is_synchronized else "COMMITTED"
        columns = (stored.id, stored.seed, stored.app_id, reached, stored.version)
        answer = Answered(*columns, stored.created_at, stored.updated_at)
        return json_response(answer, status, headers + wait_applied(wait))

    async def find(self, request: Request[AggregatePath, StateQuery, None]) -> Response:
        """One as it is, or was."""
        id_, query = request.path.id, request.query
        if query.version is not None or query.at is not None:
            found = await self._then(id_, query)
        else:
            stored = await self._cells.ask_for(id_, lambda flow: flow.current(id_))
            if stored is None:
                raise self._unknown(id_)
            if stored.state is None:
                raise self._gone(id_)
            columns = (stored.id, stored.seed, stored.app_id, stored.version)
            state = msgspec.to_builtins(stored.state)
            found = AggregateState(*columns, stored.created_at, stored.updated_at, state)
        return unless_known(request, found.version, json_response(found))

    async def _then(self, id_: int, query: StateQuery) -> AggregateState:
        events = [event for event in await self._events(id_) if event.is_change]
        then = events_by_then(f"The {self._kind} {id_}", events, query)
        try:
            state = state_after(self._flow.aggregate, then)
        except UnreadableEvent as error:
            raise UnreadableAggregate(self._kind, id_, str(error)) from None
        if state is None:
            raise self._gone(id_)
        first, last = then[0], then[-1]
        columns = (id_, first.seed, first.app_id, last.version, first.created_at)
        return AggregateState(
            *columns, last.created_at if len(then) > 1 else None, msgspec.to_builtins(state)
        )

    async def events(self, request: Request[AggregatePath, NoArguments, None]) -> Response:
        """All that has happened to one."""
        id_ = request.path.id
        return json_response([self._shown(id_, event) for event in await self._events(id_)])

    async def _events(self, id_: int) -> Sequence[StoredEvent]:
        events = await self._cells.ask_for(id_, lambda flow: flow.store.events(id_))
        if not events:
            raise self._unknown(id_)
        return events

    def _shown(self, id_: int, event: StoredEvent) -> HistoryEvent:
        data = None
        if event.event_data is not None:
            try:
                data = todays_data(self._flow.aggregate, event.event_type, event.format, event.event_data)
            except (msgspec.MsgspecError, UnreadableEvent) as error:
                raise UnreadableAggregate(self._kind, id_, str(error)) from None
        columns = (event.seed, event.app_id, event.created_at, event.cause)
        return HistoryEvent(event.version, event.event_type, data, *columns)

    def _unknown(self, id_: int) -> ProblemError:
        return ProblemError(404, f"There is no {self._kind} with id {id_}.")

    def _gone(self, id_: int) -> ProblemError:
        return ProblemError(410, f"The {self._kind} {id_} was deleted. {{id}}/events shows its history.")


def _said_of(command: type) -> str:
    """The first sentence of its docstring, if it has one of its own."""
    return (command.__doc__ or "").partition("\n")[0] if "__doc__" in vars(command) else ""
