"""The flow of one user, from a command through both databases to SYNCRONIZED.

    CreateUserCommand ──► CreateUserCommandHandler ──► UserCommandService (PostgreSQL, CREATED)
                                     │ UserCommandAggregate.create_on_query
                                     ▼
    CreateUserQueryEvent ──► UserSaga.user_created ──► CreateUserQueryCommand
                                     ▼
                          CreateUserQueryHandler ──► UserQueryService (MongoDB)
                                     │ UserEventCommandAggregate.add_synchronized_status
                                     ▼
    SynchronizedUserEvent ──► UserSaga.user_synchronized ──► SynchronizeUserCommand
                                     ▼
                          SynchronizeUserCommandHandler ──► UserCommandService (PostgreSQL, SYNCRONIZED)

A user is changed in the same way: `UpdateUserCommand` or `DeleteUserCommand`, of which `user.decide` says
what follows, ──► `ChangeUserQueryEvent` ──► `UserSaga.user_changed` ──► `ChangeUserQueryCommand`, and back as
above.

A user that MongoDB refuses permanently takes another way out: `RefusedUserEvent` ──► `UserSaga.user_refused`
──► `DeadLetterUserCommand`, and it is a dead letter.

A handler takes one command: the bus takes the handlers of a batch forward by turns, and a side is asked once
for all of them. Only the two that every user goes through after its answer, when nobody waits, take batches.

Everything after a commit may be interrupted at any point: that a version of a user is pending is a row in
PostgreSQL, and `delivery.recovery` starts the flow again for it with another command for the query side. Each
step can therefore be repeated, and repeating it changes nothing.
"""

from tandem.cqrs.aggregates import UserCommandAggregate, UserEventCommandAggregate
from tandem.cqrs.commands import (
    ChangeUserQueryCommand,
    CreateUserCommand,
    CreateUserQueryCommand,
    DeadLetterUserCommand,
    DeleteUserCommand,
    SynchronizeUserCommand,
    UpdateUserCommand,
)
from tandem.cqrs.events import (
    ChangeUserQueryEvent,
    CreateUserQueryEvent,
    RefusedUserEvent,
    SynchronizedUserEvent,
)
from tandem.cqrs.handlers import (
    ChangeUserCommandHandler,
    ChangeUserQueryHandler,
    CreateUserCommandHandler,
    CreateUserQueryHandler,
    DeadLetterUserCommandHandler,
    SynchronizeUserCommandHandler,
)
from tandem.cqrs.saga import UserSaga
from tandem.delivery.idempotency import Idempotency

__all__ = [
    "ChangeUserCommandHandler",
    "ChangeUserQueryCommand",
    "ChangeUserQueryEvent",
    "ChangeUserQueryHandler",
    "CreateUserCommand",
    "CreateUserCommandHandler",
    "CreateUserQueryCommand",
    "CreateUserQueryEvent",
    "CreateUserQueryHandler",
    "DeadLetterUserCommand",
    "DeadLetterUserCommandHandler",
    "DeleteUserCommand",
    "Idempotency",
    "RefusedUserEvent",
    "SynchronizeUserCommand",
    "SynchronizeUserCommandHandler",
    "SynchronizedUserEvent",
    "UpdateUserCommand",
    "UserCommandAggregate",
    "UserEventCommandAggregate",
    "UserSaga",
]
