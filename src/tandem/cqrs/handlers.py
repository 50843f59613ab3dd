"""The handlers of the flow, and what they ask of the two sides.

A handler is given one command and answers one result. That many are carried out together is the business of
the command bus and of the sides (`kernel.gathered`). Only the two that every user goes through after its
answer, when nobody waits, are given batches: that is cheaper, see decision 25.

What a handler asks of a side is written here as a protocol, so that neither side's package, nor its database,
is known to the flow or to the other side.
"""

from collections.abc import Awaitable, Sequence
from typing import Protocol

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
from tandem.kernel import EventBus
from tandem.user import StoredUser


class CommandSide(Protocol):
    """What the flow asks of PostgreSQL; `user_command.UserCommandService` is it."""

    def create(self, command: CreateUserCommand) -> Awaitable[UserCommandAggregate]:
        """Commit the user and its CREATED event together.

        A command whose key was used before gets the user of then, or an error where it is another command.
        """

    def change(self, command: UpdateUserCommand | DeleteUserCommand) -> Awaitable[UserCommandAggregate]:
        """Decide, and commit what follows: the user's next version with its event.

        A command whose key was used before gets the version of then. One that cannot be carried out gets a
        `cqrs.user.Rejection`.
        """

    def set_aside(self, command: DeadLetterUserCommand) -> Awaitable[None]:
        """Make the user a dead letter, if it is pending at this version."""

    async def synchronize(self, commands: Sequence[SynchronizeUserCommand]) -> None:
        """Record SYNCRONIZED for each user that is pending at this version or an earlier one."""


class QuerySide(Protocol):
    """What the flow asks of MongoDB; `user_query.UserQueryService` is it."""

    async def create(self, users: Sequence[StoredUser]) -> Sequence[UserEventCommandAggregate]:
        """Write the documents of new users, acknowledged by majority; some may be refused permanently."""

    async def change(self, users: Sequence[StoredUser]) -> Sequence[UserEventCommandAggregate]:
        """The same for later versions of users; of deleted ones, the fact that they are deleted."""


class CreateUserCommandHandler:
    """Creates a user on the command side and announces it."""

    def __init__(self, users: CommandSide, events: EventBus) -> None:
        self._users = users
        self._events = events

    async def execute(self, command: CreateUserCommand) -> UserCommandAggregate:
        """Commit the user, and tell the query side."""
        aggregate = await self._users.create(command)
        aggregate.create_on_query()
        self._events.publish_from([aggregate])
        return aggregate


class ChangeUserCommandHandler:
    """Updates or deletes a user on the command side and announces its new version."""

    def __init__(self, users: CommandSide, events: EventBus) -> None:
        self._users = users
        self._events = events

    async def execute(self, command: UpdateUserCommand | DeleteUserCommand) -> UserCommandAggregate:
        """Commit the next version, and announce it to the query side."""
        aggregate = await self._users.change(command)
        aggregate.change_on_query()
        self._events.publish_from([aggregate])
        return aggregate


class CreateUserQueryHandler:
    """Brings committed users to the query side and announces what became of them."""

    def __init__(self, users: QuerySide, events: EventBus) -> None:
        self._users = users
        self._events = events

    async def execute(
        self, commands: Sequence[CreateUserQueryCommand]
    ) -> Sequence[UserEventCommandAggregate]:
        """Write the documents, and announce to the command side what became of them."""
        aggregates = await self._users.create([command.user for command in commands])
        return _announced(aggregates, self._events)


class ChangeUserQueryHandler:
    """Brings later versions of users to the query side and announces what became of them."""

    def __init__(self, users: QuerySide, events: EventBus) -> None:
        self._users = users
        self._events = events

    async def execute(
        self, commands: Sequence[ChangeUserQueryCommand]
    ) -> Sequence[UserEventCommandAggregate]:
        """Write the documents, and announce to the command side what became of them."""
        aggregates = await self._users.change([command.user for command in commands])
        return _announced(aggregates, self._events)


def _announced(
    aggregates: Sequence[UserEventCommandAggregate], events: EventBus
) -> Sequence[UserEventCommandAggregate]:
    for aggregate in aggregates:
        if aggregate.refusal is not None:
            aggregate.add_refused_status()
        elif not aggregate.is_skipped:
            aggregate.add_synchronized_status()
    events.publish_from(aggregates)
    return aggregates


class SynchronizeUserCommandHandler:
    """Records SYNCRONIZED on the command side; with it the flow ends."""

    def __init__(self, users: CommandSide) -> None:
        self._users = users

    async def execute(self, commands: Sequence[SynchronizeUserCommand]) -> Sequence[None]:
        """Write back what the query side has."""
        await self._users.synchronize(commands)
        return [None] * len(commands)


class DeadLetterUserCommandHandler:
    """Makes a dead letter of a user that the query side refused permanently."""

    def __init__(self, users: CommandSide) -> None:
        self._users = users

    async def execute(self, command: DeadLetterUserCommand) -> None:
        """Make it a dead letter."""
        await self._users.set_aside(command)
