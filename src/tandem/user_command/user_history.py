"""What PostgreSQL has of a user, over HTTP: its rows, its events, and its state at a version or a moment."""

from collections.abc import Sequence
from datetime import datetime
from itertools import takewhile
from typing import Annotated, Protocol, TypeVar

import msgspec
from msgspec import Meta

from tandem.http.preconditions import ETAG, IF_NONE_MATCH, unless_known
from tandem.http.problems import ProblemError, bad_parameter
from tandem.http.requests import NoArguments, Request, Response, json_response
from tandem.http.routes import Route, Scope
from tandem.ids import Version
from tandem.kernel.cells import Everywhere
from tandem.user.ids import UserPath
from tandem.user_command.controller import TAG
from tandem.user_command.event_log import StoredEvent, UnreadableEvent, state_after, todays_data
from tandem.user_command.rows import UnreadableUser
from tandem.user_command.service import UserCommandService
from tandem.user_command.views import HistoryEvent, UserRows, UserState

Moment = Annotated[datetime, Meta(tz=True)]


class StateQuery(msgspec.Struct, frozen=True):
    """Which state of a user to show; without arguments its rows as they are now."""

    version: Annotated[
        Version | None, Meta(description="The state at this version, folded from the events.")
    ] = None
    at: Annotated[Moment | None, Meta(description="The state at this moment.")] = None


class UserHistoryController:
    """Shows users as the PostgreSQL of their cell has them, now and before."""

    def __init__(self, cells: Everywhere[UserCommandService]) -> None:
        self._cells = cells

    def routes(self) -> list[Route]:
        """The routes that read users from PostgreSQL."""
        path = "/api/v1/user-command/{id}"
        return [
            Route(
                "GET",
                path,
                self.find,
                "One user as normalized rows, with its events; or its state at a version or a moment",
                path_type=UserPath,
                query_type=StateQuery,
                responses={200: (UserRows, UserState), 304: None},
                request_headers=IF_NONE_MATCH,
                headers={200: ETAG},
                problems=(404, 410, 503),
                scope=Scope.QUERY,
                tag=TAG,
                description="With `version` or `at` (such as `2026-11-23T10:00:00Z`), the state then, folded "
                "from the events. Of a deleted user the problem (410) has its `events`.",
            ),
            Route(
                "GET",
                f"{path}/events",
                self.events,
                "What has happened to a user, in order",
                path_type=UserPath,
                responses={200: list[HistoryEvent]},
                problems=(404, 503),
                scope=Scope.QUERY,
                tag=TAG,
                description="Of deleted users as well; of an erased one, events have no data.",
            ),
        ]

    async def find(self, request: Request[UserPath, StateQuery, None]) -> Response:
        """The rows and events of one user, or its state then."""
        user_id, query = request.path.id, request.query
        if query.version is not None or query.at is not None:
            state = await self._state(user_id, query)
            return unless_known(request, state.version, json_response(state))
        rows = await self._cells.ask_for(user_id, lambda service: service.find(user_id))
        if rows is None:
            raise _unknown(user_id)
        if rows.status in ("DELETED", "ERASED"):
            raise ProblemError(
                410,
                f"User {user_id} was deleted.",
                more={"version": rows.version, "events": msgspec.to_builtins(rows.events)},
            )
        return unless_known(request, rows.version, json_response(rows))

    async def events(self, request: Request[UserPath, NoArguments, None]) -> Response:
        """All that has happened to one user."""
        user_id = request.path.id
        events = await self._events(user_id)
        return json_response([_shown(user_id, event) for event in events])

    async def _events(self, user_id: int) -> Sequence[StoredEvent]:
        events = await self._cells.ask_for(user_id, lambda service: service.events(user_id)) or ()
        if not any(event.is_change for event in events):
            raise _unknown(user_id)
        return events

    async def _state(self, user_id: int, query: StateQuery) -> UserState:
        events = [event for event in await self._events(user_id) if event.is_change]
        then = events_by_then(f"User {user_id}", events, query)
        if events[-1].event_type == "ERASED":
            raise ProblemError(410, f"User {user_id} was erased: nothing is known of its states.")
        return _folded(user_id, then)


class Change(Protocol):
    """An event that has made a version."""

    @property
    def version(self) -> int:
        """The version."""

    @property
    def created_at(self) -> datetime:
        """When it was committed."""


E = TypeVar("E", bound=Change)


def events_by_then(what: str, changes: Sequence[E], query: StateQuery) -> list[E]:
    """Those of the changes, in order, that had happened by the version or the moment that is asked for.

    Raises:
        ProblemError: both are asked for (400), or there was nothing by then (404); `what` begins a sentence.
    """
    if query.version is not None and query.at is not None:
        raise bad_parameter("at", "cannot be given together with version")

    def is_by_then(change: E) -> bool:
        if query.version is not None:
            return change.version <= query.version
        return query.at is not None and change.created_at <= query.at

    then, last = list(takewhile(is_by_then, changes)), changes[-1].version
    if not then or (query.version is not None and query.version > last):
        raise ProblemError(404, f"{what} has no such version. Its last one is {last}.")
    return then


def _folded(user_id: int, events: Sequence[StoredEvent]) -> UserState:
    first, last = events[0], events[-1]
    try:
        user = state_after(events)
    except UnreadableEvent as error:
        raise UnreadableUser(user_id, str(error)) from None
    if user is None or user.profile is None:
        raise ProblemError(410, f"User {user_id} was deleted by then.")
    who = {"_id": user_id, "seed": first.seed, "appId": first.app_id, "version": last.version}
    when = {"createdAt": first.created_at, "updatedAt": last.created_at}
    return msgspec.convert({**who, **when, **msgspec.to_builtins(user.profile)}, UserState)


def _shown(user_id: int, event: StoredEvent) -> HistoryEvent:
    """The event with its data in today's format."""
    data = None
    if event.event_data is not None:
        try:
            data = todays_data(event.event_type, event.format, event.event_data)
        except (msgspec.MsgspecError, UnreadableEvent) as error:
            raise UnreadableUser(user_id, str(error)) from None
    columns = (event.seed, event.app_id, event.created_at)
    return HistoryEvent(event.version, event.event_type, data, *columns)


def _unknown(user_id: int) -> ProblemError:
    return ProblemError(404, f"There is no user with id {user_id}.")
