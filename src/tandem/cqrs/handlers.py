"""The handlers of the flow, and what they ask of the two sides.

A handler is given one command and answers one result. That many are carried out together is the business of
the command bus and of the two sides (`kernel.gathered`). What a handler asks of a side is written here as a
protocol, so that neither side's package, nor its database, is known to the flow or to the other side.
"""

from collections.abc import Awaitable
from typing import Protocol

from tandem.cqrs.aggregates import UserCommandAggregate, UserEventCommandAggregate
from tandem.cqrs.commands import (
    CreateUserCommand,
    CreateUserQueryCommand,
    SetAsideUserCommand,
    SynchronizeUserCommand,
)
from tandem.kernel import EventBus
from tandem.user import StoredUser


class CommandSide(Protocol):
    """What the flow asks of PostgreSQL; `user_command.UserCommandService` is it."""

    def create(self, command: CreateUserCommand) -> Awaitable[UserCommandAggregate]:
        """Commit the user and its CREATED event together.

        A command whose key was used before gets the user of then, or an error where it is another command.
        """

    def synchronize(self, command: SynchronizeUserCommand) -> Awaitable[None]:
        """Record SYNCRONIZED, if the user is pending at this version."""

    def set_aside(self, command: SetAsideUserCommand) -> Awaitable[None]:
        """Make the user a dead letter, if it is pending at this version."""


class QuerySide(Protocol):
    """What the flow asks of MongoDB; `user_query.UserQueryService` is it."""

    def create(self, user: StoredUser) -> Awaitable[UserEventCommandAggregate]:
        """Write the document, acknowledged by majority, or say that it is refused for good."""


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


class CreateUserQueryHandler:
    """Brings a committed user to the query side and announces what became of it."""

    def __init__(self, users: QuerySide, events: EventBus) -> None:
        self._users = users
        self._events = events

    async def execute(self, command: CreateUserQueryCommand) -> UserEventCommandAggregate:
        """Write the document, and tell the command side."""
        aggregate = await self._users.create(command.user)
        if aggregate.refusal is None:
            aggregate.add_synchronized_status()
        else:
            aggregate.add_refused_status()
        self._events.publish_from([aggregate])
        return aggregate


class SynchronizeUserCommandHandler:
    """Records SYNCRONIZED on the command side; with it the flow ends."""

    def __init__(self, users: CommandSide) -> None:
        self._users = users

    async def execute(self, command: SynchronizeUserCommand) -> None:
        """Write back what the query side has."""
        await self._users.synchronize(command)


class SetAsideUserCommandHandler:
    """Sets a user aside that the query side refused for good."""

    def __init__(self, users: CommandSide) -> None:
        self._users = users

    async def execute(self, command: SetAsideUserCommand) -> None:
        """Make it a dead letter."""
        await self._users.set_aside(command)
