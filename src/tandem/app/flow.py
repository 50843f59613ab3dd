"""What flows: the buses, the handlers and sagas of users, and the services of both sides."""

from datetime import timedelta
from typing import Any

import msgspec

from tandem.app.adapters import Adapters
from tandem.config import Settings
from tandem.cqrs import (
    ChangeUserCommandHandler,
    ChangeUserQueryCommand,
    ChangeUserQueryEvent,
    ChangeUserQueryHandler,
    CreateUserCommand,
    CreateUserCommandHandler,
    CreateUserQueryCommand,
    CreateUserQueryEvent,
    CreateUserQueryHandler,
    DeadLetterUserCommand,
    DeadLetterUserCommandHandler,
    DeleteUserCommand,
    RefusedUserEvent,
    SynchronizedUserEvent,
    SynchronizeUserCommand,
    SynchronizeUserCommandHandler,
    UpdateUserCommand,
    UserSaga,
)
from tandem.delivery.acknowledgements import Acknowledgements
from tandem.delivery.pending import Unreadable
from tandem.delivery.recovery import Recovery
from tandem.kernel import Backoff, BatchPolicy, Coalescer, CommandBus, EventBus
from tandem.runs.in_flight import ClaimedUsers
from tandem.user import StoredUser
from tandem.user_command.service import UserCommandService
from tandem.user_query.service import UserQueryService

# Nobody waits for these: fewer and larger batches save MongoDB two thirds of its time for a lone browser, and
# cost a user up to so much lag. See docs/performance.md.
PROJECTION_INTERVAL = timedelta(milliseconds=20)
WRITE_BACK_INTERVAL = timedelta(milliseconds=10)


class UserFlow:
    """The way of users through this process, from a command to SYNCRONIZED."""

    def __init__(self, settings: Settings, adapters: Adapters) -> None:
        self._drain_time = timedelta(seconds=settings.drain_seconds)
        self.commands = CommandBus()
        self.events = EventBus(self.commands)
        self.command_service = UserCommandService(adapters.users, adapters.lease)
        self.acknowledgements = Acknowledgements("look for acknowledgements", adapters.users.not_synchronized)
        self.query_service = UserQueryService(adapters.documents, adapters.search)
        self._register_handlers(settings)
        self._register_sagas()
        #: The same way, for who sends users on it again.
        self.resumed = _ResumedUsers(self)
        self.recovery = Recovery(adapters.pending, adapters.lease, self.resumed)
        self.claimed_users = ClaimedUsers()
        self.recovery.observers.append(self.claimed_users.count)

    def _register_handlers(self, settings: Settings) -> None:
        """A command to its handler."""
        create = CreateUserCommandHandler(self.command_service, self.events)
        change = ChangeUserCommandHandler(self.command_service, self.events)
        project = CreateUserQueryHandler(self.query_service, self.events)
        project_changes = ChangeUserQueryHandler(self.query_service, self.events)
        write_back = SynchronizeUserCommandHandler(self.command_service)
        set_aside = DeadLetterUserCommandHandler(self.command_service)
        on_their_way = BatchPolicy(
            max_batch=settings.max_batch, max_waiting=settings.max_in_projection, retry=Backoff()
        )
        projecting = msgspec.structs.replace(on_their_way, min_interval=PROJECTION_INTERVAL)
        writing_back = msgspec.structs.replace(on_their_way, min_interval=WRITE_BACK_INTERVAL)
        # Up to two at a time: one may have to wait for another client's transaction with the same key.
        creating = BatchPolicy(
            max_batch=settings.max_batch, max_waiting=settings.max_waiting_commands, max_in_flight=2
        )
        self.creates: Coalescer[CreateUserCommand, Any] = self.commands.register_gathered(
            CreateUserCommand, create.execute, creating
        )
        # One at a time: what arrives meanwhile is decided together, and no batch overtakes another of ours.
        changing = msgspec.structs.replace(creating, max_in_flight=1)
        self.updates: Coalescer[UpdateUserCommand, Any] = self.commands.register_gathered(
            UpdateUserCommand, change.execute, changing
        )
        self.deletes: Coalescer[DeleteUserCommand, Any] = self.commands.register_gathered(
            DeleteUserCommand, change.execute, changing
        )
        self.projection: Coalescer[CreateUserQueryCommand, Any] = self.commands.register_coalesced(
            CreateUserQueryCommand, project.execute, projecting
        )
        self.change_projection: Coalescer[ChangeUserQueryCommand, Any] = self.commands.register_coalesced(
            ChangeUserQueryCommand, project_changes.execute, projecting
        )
        self.write_back: Coalescer[SynchronizeUserCommand, Any] = self.commands.register_coalesced(
            SynchronizeUserCommand, write_back.execute, writing_back
        )
        self.set_aside: Coalescer[DeadLetterUserCommand, Any] = self.commands.register_gathered(
            DeadLetterUserCommand, set_aside.execute, on_their_way
        )

    def _register_sagas(self) -> None:
        """An event to the command that follows from it."""
        self.events.saga(CreateUserQueryEvent, UserSaga.user_created)
        self.events.saga(ChangeUserQueryEvent, UserSaga.user_changed)
        self.events.saga(SynchronizedUserEvent, UserSaga.user_synchronized)
        self.events.saga(RefusedUserEvent, UserSaga.user_refused)

    @property
    def coalescers(self) -> list[Coalescer[Any, Any]]:
        """All of them, those of the reads as well."""
        services = (self.command_service, self.acknowledgements, self.query_service)
        return [*self.commands.coalescers, *(one for service in services for one in service.coalescers)]

    async def finish(self) -> None:
        """Bring to its end what is in flight, as far as the time to drain allows; the rest is recovered."""
        await self.commands.drain(self._drain_time)
        self.stop()

    def stop(self) -> None:
        """Give up what is in flight. Whatever was committed is recovered."""
        for coalescer in self.coalescers:
            coalescer.stop()


class _ResumedUsers:
    """The same way, as recovery asks for it; see `delivery.recovery.Flow`."""

    def __init__(self, flow: UserFlow) -> None:
        self._flow = flow

    def resume(self, work: StoredUser) -> None:
        """Bring this user to MongoDB."""
        is_new = work.version == 1
        self._flow.commands.dispatch(CreateUserQueryCommand(work) if is_new else ChangeUserQueryCommand(work))

    def set_aside(self, unreadable: Unreadable) -> None:
        """Make this user a dead letter."""
        command = DeadLetterUserCommand(unreadable.id, unreadable.version, unreadable.error)
        self._flow.commands.dispatch(command)

    def room(self) -> int:
        """Half of the room is left to new users, so that a long backlog does not delay them."""
        rooms = (self._flow.projection, self._flow.change_projection)
        return min(room.policy.max_waiting // 2 - room.waiting for room in rooms)

    def in_flight(self) -> list[int]:
        """The ids of all that are on their way here."""
        projected = [command.user.id for command in self._flow.projection.in_flight()]
        projected += [command.user.id for command in self._flow.change_projection.in_flight()]
        written_back = [command.user_id for command in self._flow.write_back.in_flight()]
        return projected + written_back + [command.user_id for command in self._flow.set_aside.in_flight()]
