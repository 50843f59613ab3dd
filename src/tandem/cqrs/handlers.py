"""The handlers of the flow, and what they ask of the two sides.

A handler is given a batch: the command bus gathers it. What it asks of a side is written here as a protocol,
so that neither side's package, nor its database, is known to the flow or to the other side.
"""

from collections.abc import Sequence
from typing import Protocol

from tandem.cqrs.aggregates import UserCommandAggregate, UserEventCommandAggregate
from tandem.cqrs.commands import CreateUserCommand, CreateUserQueryCommand, SynchronizeUserCommand
from tandem.kernel import EventBus
from tandem.user import StoredUser


class CommandSide(Protocol):
    """What the flow asks of PostgreSQL; `user_command.UserCommandService` is it."""

    async def create(self, commands: Sequence[CreateUserCommand]) -> Sequence[UserCommandAggregate]:
        """Commit the users and their CREATED events together: all of them or none."""

    async def synchronize(self, commands: Sequence[SynchronizeUserCommand]) -> None:
        """Record SYNCRONIZED for each user that is pending at this version; others are left as they are."""


class QuerySide(Protocol):
    """What the flow asks of MongoDB; `user_query.UserQueryService` is it."""

    async def create(self, users: Sequence[StoredUser]) -> Sequence[UserEventCommandAggregate | Exception]:
        """Write the documents, acknowledged by majority; one that is refused for good gets its error."""


class CreateUserCommandHandler:
    """Creates users on the command side and announces them."""

    def __init__(self, users: CommandSide, events: EventBus) -> None:
        self._users = users
        self._events = events

    async def execute(self, commands: Sequence[CreateUserCommand]) -> Sequence[UserCommandAggregate]:
        """Commit a batch; each command gets its aggregate."""
        aggregates = await self._users.create(commands)
        for aggregate in aggregates:
            aggregate.create_on_query()
        self._events.publish_from(aggregates)
        return aggregates


class CreateUserQueryHandler:
    """Brings committed users to the query side and announces which of them arrived."""

    def __init__(self, users: QuerySide, events: EventBus) -> None:
        self._users = users
        self._events = events

    async def execute(
        self, commands: Sequence[CreateUserQueryCommand]
    ) -> Sequence[UserEventCommandAggregate | Exception]:
        """Write a batch; a user that the query side refuses gets its error, the others their aggregates."""
        results = await self._users.create([command.user for command in commands])
        arrived = [result for result in results if isinstance(result, UserEventCommandAggregate)]
        for aggregate in arrived:
            aggregate.add_synchronized_status()
        self._events.publish_from(arrived)
        return results


class SynchronizeUserCommandHandler:
    """Records SYNCRONIZED on the command side; with it the flow ends."""

    def __init__(self, users: CommandSide) -> None:
        self._users = users

    async def execute(self, commands: Sequence[SynchronizeUserCommand]) -> Sequence[None]:
        """Write back a batch."""
        await self._users.synchronize(commands)
        return [None] * len(commands)
