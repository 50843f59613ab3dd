"""The saga: which event leads to which command. Pure functions; the event bus does the sending."""

from tandem.cqrs.commands import (
    ChangeUserQueryCommand,
    CreateUserQueryCommand,
    DeadLetterUserCommand,
    SynchronizeUserCommand,
)
from tandem.cqrs.events import (
    ChangeUserQueryEvent,
    CreateUserQueryEvent,
    RefusedUserEvent,
    SynchronizedUserEvent,
)


class UserSaga:
    """Leads a user from one database to the other and back."""

    @staticmethod
    def user_created(event: CreateUserQueryEvent) -> CreateUserQueryCommand:
        """Once PostgreSQL has the user, MongoDB is next."""
        return CreateUserQueryCommand(event.user)

    @staticmethod
    def user_changed(event: ChangeUserQueryEvent) -> ChangeUserQueryCommand:
        """Once PostgreSQL has a later version, MongoDB is next."""
        return ChangeUserQueryCommand(event.user)

    @staticmethod
    def user_synchronized(event: SynchronizedUserEvent) -> SynchronizeUserCommand:
        """Once MongoDB has the user, PostgreSQL records it."""
        return SynchronizeUserCommand(
            event.user_id, event.version, event.seed, event.traceparent, event.epoch
        )

    @staticmethod
    def user_refused(event: RefusedUserEvent) -> DeadLetterUserCommand:
        """What MongoDB refuses permanently becomes a dead letter, so that the rest goes on."""
        return DeadLetterUserCommand(event.user_id, event.version, event.error, event.traceparent)
