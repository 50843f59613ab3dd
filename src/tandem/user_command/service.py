"""The command side's service: creates users and ends their flow."""

from collections.abc import Sequence

from tandem.cqrs import CreateUserCommand, SynchronizeUserCommand, UserCommandAggregate
from tandem.user_command.lease import Lease
from tandem.user_command.repository import UserCommandRepository
from tandem.user_command.views import UserRows


class UserCommandService:
    """Users on the command side; see `cqrs.handlers.CommandSide` for what the flow asks of it."""

    def __init__(self, repository: UserCommandRepository, lease: Lease) -> None:
        self._repository = repository
        self._lease = lease

    async def create(self, commands: Sequence[CreateUserCommand]) -> Sequence[UserCommandAggregate]:
        """Commit the users and their CREATED events together, as this incarnation's pending work.

        Raises:
            Unavailable: PostgreSQL does not answer.
        """
        users = await self._repository.create(commands, self._lease.incarnation)
        return [UserCommandAggregate(user) for user in users]

    async def synchronize(self, commands: Sequence[SynchronizeUserCommand]) -> None:
        """Record SYNCRONIZED for each user that is pending at this version.

        Raises:
            Unavailable: PostgreSQL does not answer.
        """
        await self._repository.synchronize(commands)

    async def find(self, user_id: int) -> UserRows | None:
        """One user in normal form, with its events; None where there is none.

        Raises:
            Unavailable: PostgreSQL does not answer.
        """
        return await self._repository.find(user_id)
