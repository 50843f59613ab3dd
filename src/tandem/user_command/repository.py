"""The command side's way to PostgreSQL: each method is one statement, and so one transaction."""

from collections import defaultdict
from collections.abc import Sequence

import asyncpg
import msgspec

from tandem.cqrs import CreateUserCommand, SetAsideUserCommand, SynchronizeUserCommand
from tandem.user import StoredUser
from tandem.user_command.database import Database
from tandem.user_command.idempotency import KeyedUser, KeyTaken
from tandem.user_command.reference_data import ReferenceIds
from tandem.user_command.rows import decode_state, row_of, traceparents_of
from tandem.user_command.totals import StageTotals
from tandem.user_command.user_path import IdsUsedUp
from tandem.user_command.views import UserRows

# An own user that this process does not hold is only forgotten after this long: before, the answer to the
# commit that made it pending may still be on its way here.
OWN_GRACE_SECONDS = 2.0
KEY_INDEX = "prm_user_idempotency_key"


class UserCommandRepository:
    """Users in PostgreSQL."""

    def __init__(self, database: Database, app_id: str) -> None:
        self._database = database
        self._app_id = app_id
        self._ids = ReferenceIds(database)
        #: What has been committed here since this instance began.
        self.totals = StageTotals()

    async def create(self, commands: Sequence[CreateUserCommand], incarnation: int) -> list[StoredUser]:
        """Commit users, their CREATED events and their pending rows together; all of them or none.

        Raises:
            KeyTaken: an idempotency key has a user already; `find_by_keys` says which.
            IdsUsedUp: there are not enough ids for all of them.
            Unavailable: PostgreSQL does not answer; whether it has committed may be unknown.
        """
        await self._ids.learn(command.profile for command in commands)
        rows_in = [row_of(command, self._ids) for command in commands]
        traces = traceparents_of(commands)
        try:
            rows = await self._database.fetch("create_users", rows_in, self._app_id, incarnation, traces)
        except asyncpg.UniqueViolationError as error:
            if error.constraint_name != KEY_INDEX:
                raise
            raise KeyTaken from error
        except asyncpg.SequenceGeneratorLimitExceededError as error:
            raise IdsUsedUp from error
        self.totals.created += len(rows)
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
        rows = await self._database.fetch("ids_left")
        return bool(rows[0]["some_left"])

    async def find_by_keys(self, keys: Sequence[str]) -> dict[str, KeyedUser]:
        """The users that these keys have created, by key; a key without user is missing.

        Raises:
            Unavailable: PostgreSQL does not answer.
        """
        rows = await self._database.fetch("find_users_by_keys", keys)
        return {
            key: KeyedUser(fingerprint, StoredUser(user_id, seed, app_id, 1, created_at, decode_state(state)))
            for key, fingerprint, user_id, seed, app_id, created_at, state in rows
        }

    async def set_aside(self, commands: Sequence[SetAsideUserCommand]) -> None:
        """Make each user that is still pending at this version a dead letter.

        Raises:
            Unavailable: PostgreSQL does not answer. Doing it again is harmless.
        """
        columns = (
            [command.user_id for command in commands],
            [command.version for command in commands],
            [command.error for command in commands],
        )
        await self._database.fetch("set_aside_users", *columns, self._app_id)

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
            for ended in await self._database.fetch("synchronize_users", sorted(ids), version, self._app_id):
                self.totals.count_synchronized(*ended)

    async def claim(self, incarnation: int, held: Sequence[int], most: int) -> list[StoredUser]:
        """Take over pending users that nobody works on, oldest first, at most `most`.

        That is who belongs to an incarnation whose lease has ended, and who belongs to this one but is not
        among `held`: dropped when memory was full, or committed although the answer was lost.

        Raises:
            Unavailable: PostgreSQL does not answer.
        """
        rows = await self._database.fetch("claim_pending", incarnation, held, most, OWN_GRACE_SECONDS)
        return [
            StoredUser(user_id, seed, app_id, version, created_at, decode_state(state), traceparent)
            for user_id, seed, app_id, version, created_at, state, traceparent in rows
        ]

    async def find(self, user_id: int) -> UserRows | None:
        """The normalized rows and the events of one user.

        Raises:
            Unavailable: PostgreSQL does not answer.
        """
        rows = await self._database.fetch("find_user", user_id)
        return msgspec.json.decode(rows[0][0], type=UserRows) if rows else None

    async def oldest_pending_seconds(self) -> float:
        """How long the oldest pending user has been waiting, in seconds; 0 when none is.

        Raises:
            Unavailable: PostgreSQL does not answer.
        """
        rows = await self._database.fetch("oldest_pending")
        return float(rows[0]["age"]) if rows else 0.0
