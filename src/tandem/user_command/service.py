"""The command side's service: creates users and ends their flow."""

from collections.abc import Mapping, Sequence

from tandem.cqrs import (
    CreateUserCommand,
    SetAsideUserCommand,
    SynchronizeUserCommand,
    UserCommandAggregate,
)
from tandem.kernel import Unavailable
from tandem.user_command.idempotency import KeyedUser, KeyTaken, replayed, still_to_create
from tandem.user_command.lease import Lease
from tandem.user_command.repository import UserCommandRepository
from tandem.user_command.user_path import IdsUsedUp
from tandem.user_command.views import UserRows

# Each try learns of at least one key; more than a few mean that something else is wrong.
MOST_TRIES = 5


class UserCommandService:
    """Users on the command side; see `cqrs.handlers.CommandSide` for what the flow asks of it."""

    def __init__(self, repository: UserCommandRepository, lease: Lease) -> None:
        self._repository = repository
        self._lease = lease
        #: Whether PostgreSQL had no id left when it was last asked for one.
        self.ids_used_up = False

    async def create(
        self, commands: Sequence[CreateUserCommand]
    ) -> Sequence[UserCommandAggregate | Exception]:
        """Commit the users and their CREATED events together, as this incarnation's pending work.

        Nearly all keys are new, so the batch is written at once; only where a key turns out to be taken are
        the taken ones read, by a statement of their own: the first one's snapshot cannot see a transaction
        that it lost to.

        Raises:
            Unavailable: PostgreSQL does not answer.
        """
        known: dict[str, KeyedUser] = {}
        for _ in range(MOST_TRIES):
            new = still_to_create(commands, known)
            try:
                users = await self._repository.create(new, self._lease.incarnation) if new else []
            except KeyTaken:
                known |= await self._repository.find_by_keys(_keys_of(new))
                continue
            except IdsUsedUp:
                self.ids_used_up = True
                known |= await self._repository.find_by_keys(_keys_of(new))
                return [_without_ids(command, known) for command in commands]
            created = {id(command): user for command, user in zip(new, users, strict=True)}
            for command, user in zip(new, users, strict=True):
                if command.idempotency is not None:
                    known[command.idempotency.key] = KeyedUser(command.idempotency.fingerprint, user)
            return [
                UserCommandAggregate(created[id(command)])
                if id(command) in created
                else replayed(command, known)
                for command in commands
            ]
        msg = "Idempotency keys of one batch were taken again and again"
        raise Unavailable(msg)

    async def look_for_ids(self) -> None:
        """Find out whether there are ids again, after there were none.

        Raises:
            Unavailable: PostgreSQL does not answer.
        """
        if self.ids_used_up:
            self.ids_used_up = not await self._repository.has_ids_left()

    async def synchronize(self, commands: Sequence[SynchronizeUserCommand]) -> None:
        """Record SYNCRONIZED for each user that is pending at this version.

        Raises:
            Unavailable: PostgreSQL does not answer.
        """
        await self._repository.synchronize(commands)

    async def set_aside(self, commands: Sequence[SetAsideUserCommand]) -> None:
        """Make each user that is pending at this version a dead letter.

        Raises:
            Unavailable: PostgreSQL does not answer.
        """
        await self._repository.set_aside(commands)

    async def find(self, user_id: int) -> UserRows | None:
        """One user in normal form, with its events; None where there is none.

        Raises:
            Unavailable: PostgreSQL does not answer.
        """
        return await self._repository.find(user_id)


def _without_ids(
    command: CreateUserCommand, known: Mapping[str, KeyedUser]
) -> UserCommandAggregate | Exception:
    """What a command gets when no user can be created: the user that it has created before, or the error."""
    if command.idempotency is None or command.idempotency.key not in known:
        return IdsUsedUp()
    return replayed(command, known)


def _keys_of(commands: Sequence[CreateUserCommand]) -> list[str]:
    return [command.idempotency.key for command in commands if command.idempotency is not None]
