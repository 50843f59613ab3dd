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

A user that MongoDB refuses for good takes another way out: `RefusedUserEvent` ──► `UserSaga.user_refused` ──►
`DeadLetterUserCommand`, and it is a dead letter.

A handler takes one command: the bus takes the handlers of a batch forward by turns, and a side is asked once
for all of them. Only the two that every user goes through after its answer, when nobody waits, take batches.

Everything after the first commit may be interrupted at any point: that a user is pending is a row in
PostgreSQL, and `delivery.recovery` starts the flow again for it with another `CreateUserQueryCommand`.
Each step can therefore be repeated, and repeating it changes nothing.
"""

from tandem.cqrs.aggregates import UserCommandAggregate, UserEventCommandAggregate
from tandem.cqrs.commands import (
    CreateUserCommand,
    CreateUserQueryCommand,
    DeadLetterUserCommand,
    SynchronizeUserCommand,
)
from tandem.cqrs.events import CreateUserQueryEvent, RefusedUserEvent, SynchronizedUserEvent
from tandem.cqrs.handlers import (
    CreateUserCommandHandler,
    CreateUserQueryHandler,
    DeadLetterUserCommandHandler,
    SynchronizeUserCommandHandler,
)
from tandem.cqrs.saga import UserSaga
from tandem.delivery.idempotency import Idempotency

__all__ = [
    "CreateUserCommand",
    "CreateUserCommandHandler",
    "CreateUserQueryCommand",
    "CreateUserQueryEvent",
    "CreateUserQueryHandler",
    "DeadLetterUserCommand",
    "DeadLetterUserCommandHandler",
    "Idempotency",
    "RefusedUserEvent",
    "SynchronizeUserCommand",
    "SynchronizeUserCommandHandler",
    "SynchronizedUserEvent",
    "UserCommandAggregate",
    "UserEventCommandAggregate",
    "UserSaga",
]
