"""The command side's way to PostgreSQL: what is written of users is written by one statement."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import timedelta

import asyncpg
import msgspec

from tandem.cqrs import CreateUserCommand, DeadLetterUserCommand, SynchronizeUserCommand
from tandem.delivery.held_keys import HeldKeys
from tandem.delivery.idempotency import HeldUp, KeyTaken, Known
from tandem.delivery.pending import Unreadable
from tandem.kernel import Unavailable
from tandem.postgres.database import Database
from tandem.postgres.faults import is_refusal, state_of
from tandem.user import Profile, StoredUser
from tandem.user_command.counters import StageCounters
from tandem.user_command.ids_used_up import IdsUsedUp
from tandem.user_command.queries import QUERIES
from tandem.user_command.reference_data import ReferenceIds
from tandem.user_command.rows import UnreadableUser, row_of, stored_user, traceparents_of
from tandem.user_command.views import UserRows

# What users are called in the tables and queries of `delivery`.
KIND = "user"
SAME_KEY = "uses the same key"
KEY_INDEX = "prm_user_idempotency_key"
# Those of all tables that have a user's id as their key, or in it.
ID_INDEXES = {
    f"prm_user{table}_pkey" for table in ("", "_location", "_login", "_picture", "_event", "_pending")
}
# PostgreSQL's `lock_timeout`. Somebody who commits the same key just now is waited for, so that both get the
# same answer; it takes a fsync. A transaction that stays open holds up a batch only once for so long
# (`held_keys`).
KEY_PATIENCE = "200ms"
ROW_PATIENCE = "500ms"
PATIENCE = timedelta(seconds=1)


class UserCommandRepository:
    """Users in PostgreSQL."""

    def __init__(self, database: Database, app_id: str, reads: Database | None = None) -> None:
        """`reads` has the share of the sessions that people's questions may take."""
        self._database = database
        self._reads = reads or database
        self._app_id = app_id
        self._keys = HeldKeys(database, QUERIES["find_held_keys"])
        #: Why PostgreSQL refuses to create users, in a sentence for anybody; None while it does not.
        self.refusal: str | None = None
        #: Called when the sequence has given an id that is taken.
        self.on_taken_id: Callable[[], None] = lambda: None
        self._ids = ReferenceIds(database)
        #: What has been committed here since this instance began.
        self.counters = StageCounters()

    async def create(self, commands: Sequence[CreateUserCommand], incarnation: int) -> list[StoredUser]:
        """Commit users, their CREATED events and their pending rows together; all of them or none.

        Raises:
            KeyTaken: an idempotency key has a user already; `find_by_keys` says which.
            IdsUsedUp: there are not enough ids for all of them.
            HeldUp: some commands would have to wait for others' transactions; the rest may be created.
            Unavailable: PostgreSQL does not answer; whether it has committed may be unknown.
        """
        try:
            users = await self._create(commands, incarnation)
        except Unavailable as error:
            if isinstance(error.__cause__, asyncpg.SequenceGeneratorLimitExceededError):
                raise IdsUsedUp from error
            if is_refusal(error.__cause__):
                self.refusal = state_of(error.__cause__)
            raise
        self.refusal = None
        return users

    async def _create(self, commands: Sequence[CreateUserCommand], incarnation: int) -> list[StoredUser]:
        server = self._database.server
        await self._ids.learn(command.profile for command in commands)
        if held_up := [command for command in commands if not self._ids.knows(command.profile)]:
            raise HeldUp(held_up, "adds the same country or time zone")
        if held_up := await self._keys.held(commands):
            raise HeldUp(held_up, SAME_KEY)
        rows = await self._insert(commands, incarnation, server)
        self.counters.created += len(rows)
        return [
            StoredUser(
                user_id, command.seed, self._app_id, 1, created_at, command.profile, command.traceparent
            )
            for command, (user_id, created_at) in zip(commands, rows, strict=True)
        ]

    async def has_ids_left(self) -> bool:
        """Whether PostgreSQL has an id for one more user.

        Raises:
            Unavailable: PostgreSQL does not answer.
        """
        rows = await self._database.fetch(QUERIES["ids_left"])
        return bool(rows[0]["some_left"])

    async def try_creating(self, incarnation: int) -> None:
        """After a refusal, learn whether it lasts: run the statement that creates users, with no user.

        Raises:
            Unavailable: it is, or PostgreSQL does not answer.
        """
        if self.refusal is not None:
            nobody: list[object] = []
            arguments = (nobody, self._app_id, incarnation, None, None)
            await self._database.fetch(QUERIES["create_users"], *arguments, within=PATIENCE)
            self.refusal = None

    async def _insert(
        self, commands: Sequence[CreateUserCommand], incarnation: int, server: int
    ) -> list[asyncpg.Record]:
        rows_in = [row_of(command, self._ids) for command in commands]
        limit = KEY_PATIENCE if any(command.idempotency for command in commands) else None
        arguments = (rows_in, self._app_id, incarnation, traceparents_of(commands), limit)
        try:
            return await self._database.fetch(QUERIES["create_users"], *arguments, server=server)
        except asyncpg.UniqueViolationError as error:
            if error.constraint_name == KEY_INDEX:
                raise KeyTaken from error
            if error.constraint_name in ID_INDEXES:
                # No user's fault: the sequence gives ids that are taken.
                self.on_taken_id()
                msg = "PostgreSQL's sequence gives ids that users have already"
                raise Unavailable(msg) from error
            raise
        except Unavailable as error:
            if not self._keys.is_held(error.__cause__):
                raise
            raise HeldUp(await self._keys.held(commands), SAME_KEY) from error

    async def find_by_keys(self, keys: Sequence[str]) -> dict[str, Known[StoredUser]]:
        """The users that these keys have created, by key; a key without user is missing.

        Raises:
            Unavailable: PostgreSQL does not answer.
        """
        rows = await self._database.fetch(QUERIES["find_users_by_keys"], keys)
        return {
            # Its answer needs no more of the profile, and so does not depend on a state that can be read.
            key: Known(fingerprint, StoredUser(user_id, seed, app_id, 1, created_at, Profile(email=email)))
            for key, fingerprint, user_id, seed, app_id, created_at, email in rows
        }

    async def set_aside(self, commands: Sequence[DeadLetterUserCommand]) -> None:
        """Make each user that is still pending at this version a dead letter.

        Raises:
            Unavailable: PostgreSQL does not answer. Doing it again is harmless.
        """
        columns = (
            [command.user_id for command in commands],
            [command.version for command in commands],
            [command.error for command in commands],
        )
        await self._database.fetch(QUERIES["set_aside_users"], *columns, self._app_id)

    async def synchronize(self, commands: Sequence[SynchronizeUserCommand]) -> None:
        """Record SYNCRONIZED for each user that is still pending at this version.

        Raises:
            Unavailable: PostgreSQL does not answer. Doing it again is harmless.
        """
        ids_of_versions = defaultdict(list)
        for command in commands:
            ids_of_versions[command.version].append(command.user_id)
        for version, ids in ids_of_versions.items():
            # In one order everywhere, so that two instances with the same users cannot lock each other out.
            for ended in await self._synchronize(sorted(ids), version):
                self.counters.count_synchronized(*ended)

    async def _synchronize(self, ids: list[int], version: int) -> list[asyncpg.Record]:
        arguments = (ids, version, self._app_id)
        try:
            return await self._database.fetch(QUERIES["synchronize_users"], *arguments, ROW_PATIENCE)
        except Unavailable as error:
            if not isinstance(error.__cause__, asyncpg.LockNotAvailableError):
                raise
        # Somebody has locked a user. It stays pending, and recovery comes back to it; the others go on.
        return await self._database.fetch(QUERIES["synchronize_users"], *arguments, None)

    async def read_pending(
        self, ids: Sequence[int], versions: Sequence[int]
    ) -> Sequence[StoredUser | Unreadable]:
        """The stored users of these ids, each at the version at which it is pending.

        Raises:
            Unavailable: PostgreSQL does not answer, or has found one of them damaged.
        """
        return [stored_user(row) for row in await self._database.fetch(QUERIES["find_states"], ids, versions)]

    async def find(self, user_id: int) -> UserRows | None:
        """The normalized rows and the events of one user.

        Raises:
            UnreadableUser: its rows are in a form that no version of this program has written.
            Unavailable: PostgreSQL does not answer.
        """
        rows = await self._reads.fetch(QUERIES["find_user"], user_id)
        try:
            return msgspec.json.decode(rows[0][0], type=UserRows) if rows else None
        except msgspec.MsgspecError as error:
            raise UnreadableUser(user_id, str(error)) from error
