"""The command side's service: creates and changes users, and ends their flow."""

from collections.abc import Mapping, Sequence

from tandem.cqrs import (
    CreateUserCommand,
    DeadLetterUserCommand,
    SynchronizeUserCommand,
    UserCommandAggregate,
)
from tandem.delivery.idempotency import Known, once_each
from tandem.delivery.lease import Lease
from tandem.kernel import BatchPolicy, Coalescer, Gathered
from tandem.user import StoredUser
from tandem.user_command.changes import ChangingCommand, Draft
from tandem.user_command.event_log import StoredEvent
from tandem.user_command.ids_used_up import IdsUsedUp
from tandem.user_command.repository import UserCommandRepository
from tandem.user_command.views import UserRows


class UserCommandService:
    """Users on the command side; see `cqrs.handlers.CommandSide` for what the flow asks of it."""

    def __init__(self, repository: UserCommandRepository, lease: Lease) -> None:
        self._repository = repository
        self._lease = lease
        #: Whether PostgreSQL had no id left when it was last asked for one.
        self.ids_used_up = False
        self._current: Coalescer[int, StoredUser | None] = Coalescer(
            "read by id in PostgreSQL", self._read_current, BatchPolicy(max_batch=200, max_waiting=5_000)
        )
        self.create = Gathered(self.create_all)
        self.change = Gathered(self.change_all)
        self.set_aside = Gathered(self.set_aside_all)

    async def create_all(
        self, commands: Sequence[CreateUserCommand]
    ) -> Sequence[UserCommandAggregate | Exception]:
        """Commit the users and their CREATED events together, as this incarnation's pending work.

        A command whose key was used before gets the user of then, or `KeyReused` where it is another command;
        one that would have to wait for a transaction of others gets `StillOpen`.

        Raises:
            Unavailable: PostgreSQL does not answer.
        """
        return await once_each(commands, self._create_new, self._find_by_keys, replay)

    async def _create_new(
        self, commands: Sequence[CreateUserCommand]
    ) -> Sequence[UserCommandAggregate | Exception]:
        try:
            users = await self._repository.create(commands, self._lease.incarnation)
        except IdsUsedUp:
            self.ids_used_up = True
            return [IdsUsedUp() for _ in commands]
        return [UserCommandAggregate(user) for user in users]

    async def change_all(
        self, commands: Sequence[ChangingCommand]
    ) -> Sequence[UserCommandAggregate | Exception]:
        """Decide about each command, one after the other, and commit what follows.

        Many commands on one user are written as one row and several events. A command that cannot be carried
        out gets a `Rejection` or `InvalidField`, one whose user was changed meanwhile `Overtaken`; those with
        keys get what is said at `create_all`.

        Raises:
            Unavailable: PostgreSQL does not answer.
        """
        return await once_each(commands, self._change_new, self._find_by_keys, replay)

    async def _change_new(
        self, commands: Sequence[ChangingCommand]
    ) -> Sequence[UserCommandAggregate | Exception]:
        ids = sorted({command.user_id for command in commands})
        found = await self._repository.read(ids)
        drafts = {user_id: Draft(user_id, found.get(user_id)) for user_id in ids}
        decided = [drafts[command.user_id].decide(command) for command in commands]
        to_write = [draft for draft in drafts.values() if draft.needs_writing]
        if to_write:
            await self._repository.change(to_write, self._lease.incarnation)
        return [
            drafts[command.user_id].outcome(result) for command, result in zip(commands, decided, strict=True)
        ]

    async def _find_by_keys(self, keys: Sequence[str]) -> Mapping[str, Known[UserCommandAggregate]]:
        return await found_by_keys(self._repository, keys)

    async def look_for_ids(self) -> None:
        """Find out whether there are ids again, after there were none.

        Raises:
            Unavailable: PostgreSQL does not answer.
        """
        if self.ids_used_up:
            self.ids_used_up = not await self._repository.has_ids_left()

    async def synchronize(self, commands: Sequence[SynchronizeUserCommand]) -> None:
        """Record SYNCRONIZED for each user that is pending at this version; others are left as they are.

        Raises:
            Unavailable: PostgreSQL does not answer.
        """
        await self._repository.synchronize(commands)

    async def set_aside_all(self, commands: Sequence[DeadLetterUserCommand]) -> Sequence[None]:
        """Make each user that is pending at this version a dead letter; others are left as they are.

        Raises:
            Unavailable: PostgreSQL does not answer.
        """
        await self._repository.set_aside(commands)
        return [None] * len(commands)

    @property
    def coalescers(self) -> Sequence[Coalescer[int, StoredUser | None]]:
        """The one that gathers reads: for metrics and the orderly stop."""
        return [self._current]

    async def current(self, user_id: int) -> StoredUser | None:
        """The user as it is now; None where there is none.

        Raises:
            Unavailable: PostgreSQL does not answer.
            UnreadableUser: its rows cannot be read.
            Overloaded: too many reads are waiting.
        """
        return await self._current.submit(user_id)

    async def _read_current(self, ids: Sequence[int]) -> Sequence[StoredUser | Exception | None]:
        found = await self._repository.read(sorted(set(ids)))
        return [found.get(user_id) for user_id in ids]

    async def events(self, user_id: int) -> Sequence[StoredEvent]:
        """All events of a user, in order; none where there is no such user.

        Raises:
            Unavailable: PostgreSQL does not answer.
        """
        return await self._repository.events(user_id)

    async def find(self, user_id: int) -> UserRows | None:
        """One user in normal form, with its events; None where there is none.

        Raises:
            Unavailable: PostgreSQL does not answer.
        """
        return await self._repository.find(user_id)


async def found_by_keys(
    repository: UserCommandRepository, keys: Sequence[str]
) -> Mapping[str, Known[UserCommandAggregate]]:
    """What commands with these keys have got there.

    Raises:
        Unavailable: PostgreSQL does not answer.
    """
    found = await repository.find_by_keys(keys)
    return {key: Known(known.fingerprint, _aggregate(known.result)) for key, known in found.items()}


def _aggregate(found: StoredUser | Exception) -> UserCommandAggregate | Exception:
    return found if isinstance(found, Exception) else UserCommandAggregate(found)


def replay(first: UserCommandAggregate) -> UserCommandAggregate:
    """What a later command with the key gets."""
    return UserCommandAggregate(first.user, replayed=True)
