"""The command side's service: creates users and ends their flow."""

from collections.abc import Mapping, Sequence, Set

from tandem.cqrs import (
    CreateUserCommand,
    SetAsideUserCommand,
    SynchronizeUserCommand,
    UserCommandAggregate,
)
from tandem.kernel import Unavailable
from tandem.user import StoredUser
from tandem.user_command.idempotency import (
    HeldUp,
    KeyedUser,
    KeyTaken,
    StillOpen,
    replayed,
    still_to_create,
)
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
        that it lost to. A command that would have to wait for a transaction of others gets `StillOpen`, so
        that the others need not wait with it.

        Raises:
            Unavailable: PostgreSQL does not answer.
        """
        known: dict[str, KeyedUser] = {}
        held_up: set[int] = set()
        for _ in range(MOST_TRIES):
            new = still_to_create([command for command in commands if id(command) not in held_up], known)
            try:
                users = await self._repository.create(new, self._lease.incarnation) if new else []
            except KeyTaken:
                known |= await self._repository.find_by_keys(_keys_of(new))
            except IdsUsedUp:
                self.ids_used_up = True
                known |= await self._repository.find_by_keys(_keys_of(new))
                return [_without_ids(command, known) for command in commands]
            except HeldUp as error:
                held_up |= _with_the_same_keys(commands, error.commands)
            else:
                return _results(commands, dict(zip(map(id, new), users, strict=True)), known, held_up)
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


def _results(
    commands: Sequence[CreateUserCommand],
    created: Mapping[int, StoredUser],
    known: dict[str, KeyedUser],
    held_up: Set[int],
) -> list[UserCommandAggregate | Exception]:
    """What each command gets; `created` and `held_up` know commands by their Python ids."""
    for command in commands:
        if command.idempotency is not None and id(command) in created:
            keyed = KeyedUser(command.idempotency.fingerprint, created[id(command)])
            known[command.idempotency.key] = keyed

    def result(command: CreateUserCommand) -> UserCommandAggregate | Exception:
        if id(command) in created:
            return UserCommandAggregate(created[id(command)])
        if id(command) in held_up:
            return StillOpen(
                "Another transaction has not ended yet that uses the same key, or adds the same country."
            )
        return replayed(command, known)

    return [result(command) for command in commands]


def _with_the_same_keys(
    commands: Sequence[CreateUserCommand], held_up: Sequence[CreateUserCommand]
) -> set[int]:
    keys = set(_keys_of(held_up))
    ids = {id(command) for command in held_up}
    return ids | {id(one) for one in commands if one.idempotency is not None and one.idempotency.key in keys}


def _keys_of(commands: Sequence[CreateUserCommand]) -> list[str]:
    return [command.idempotency.key for command in commands if command.idempotency is not None]
