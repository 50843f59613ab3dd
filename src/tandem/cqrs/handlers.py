"""The handlers of the flow, and what they ask of the two sides.

A handler is given a batch: the command bus gathers it. What it asks of a side is written here as a protocol,
so that neither side's package, nor its database, is known to the flow or to the other side.
"""

from collections.abc import Sequence
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

    async def create(
        self, commands: Sequence[CreateUserCommand]
    ) -> Sequence[UserCommandAggregate | Exception]:
        """Commit the users and their CREATED events together: all of them or none.

        A command whose key was used before gets the user of then, or an error where it is another command.
        """

    async def synchronize(self, commands: Sequence[SynchronizeUserCommand]) -> None:
        """Record SYNCRONIZED for each user that is pending at this version; others are left as they are."""

    async def set_aside(self, commands: Sequence[SetAsideUserCommand]) -> None:
        """Make each user that is pending at this version a dead letter; others are left as they are."""


class QuerySide(Protocol):
    """What the flow asks of MongoDB; `user_query.UserQueryService` is it."""

    async def create(self, users: Sequence[StoredUser]) -> Sequence[UserEventCommandAggregate]:
        """Write the documents, acknowledged by majority; some may be refused for good."""


class CreateUserCommandHandler:
    """Creates users on the command side and announces them."""

    def __init__(self, users: CommandSide, events: EventBus) -> None:
        self._users = users
        self._events = events

    async def execute(
        self, commands: Sequence[CreateUserCommand]
    ) -> Sequence[UserCommandAggregate | Exception]:
        """Commit a batch; each command gets its aggregate, or the error that it alone has."""
        results = await self._users.create(commands)
        aggregates = [result for result in results if isinstance(result, UserCommandAggregate)]
        for aggregate in aggregates:
            aggregate.create_on_query()
        self._events.publish_from(aggregates)
        return results


class CreateUserQueryHandler:
    """Brings committed users to the query side and announces what became of them."""

    def __init__(self, users: QuerySide, events: EventBus) -> None:
        self._users = users
        self._events = events

    async def execute(
        self, commands: Sequence[CreateUserQueryCommand]
    ) -> Sequence[UserEventCommandAggregate]:
        """Write a batch; each command gets its aggregate."""
        aggregates = await self._users.create([command.user for command in commands])
        for aggregate in aggregates:
            if aggregate.refusal is None:
                aggregate.add_synchronized_status()
            else:
                aggregate.add_refused_status()
        self._events.publish_from(aggregates)
        return aggregates


class SynchronizeUserCommandHandler:
    """Records SYNCRONIZED on the command side; with it the flow ends."""

    def __init__(self, users: CommandSide) -> None:
        self._users = users

    async def execute(self, commands: Sequence[SynchronizeUserCommand]) -> Sequence[None]:
        """Write back a batch."""
        await self._users.synchronize(commands)
        return [None] * len(commands)


class SetAsideUserCommandHandler:
    """Sets users aside that the query side refused for good."""

    def __init__(self, users: CommandSide) -> None:
        self._users = users

    async def execute(self, commands: Sequence[SetAsideUserCommand]) -> Sequence[None]:
        """Set a batch aside."""
        await self._users.set_aside(commands)
        return [None] * len(commands)
