"""The command side's way to PostgreSQL: what is written of users is written by one statement."""

import re
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

import asyncpg
import msgspec

from tandem.cqrs import CreateUserCommand, DeadLetterUserCommand, SynchronizeUserCommand
from tandem.cqrs.user import KIND
from tandem.delivery.endings import Endings
from tandem.delivery.held_keys import HeldKeys
from tandem.delivery.idempotency import HeldUp, Keyed, KeyTaken, Known
from tandem.delivery.pending import Unreadable
from tandem.delivery.rejections import Gone
from tandem.kernel import Unavailable
from tandem.kernel.cells import OtherCell
from tandem.postgres.database import Database
from tandem.postgres.faults import is_refusal, state_of
from tandem.postgres.queries import Query
from tandem.user import Profile, StoredUser
from tandem.user.stored import uptime
from tandem.user_command.archive_files import ArchivedEvent
from tandem.user_command.archived_events import ArchiveAway, ArchivedEvents
from tandem.user_command.changes import Draft, columns_of_events, columns_of_keys, columns_of_users
from tandem.user_command.counters import StageCounters
from tandem.user_command.event_log import StoredEvent, UnreadableEvent, created_data, state_after
from tandem.user_command.ids_used_up import IdsUsedUp
from tandem.user_command.queries import QUERIES
from tandem.user_command.reference_data import ReferenceIds
from tandem.user_command.rows import UnreadableUser, stored_user
from tandem.user_command.views import EventRow, UserRows

KEY_INDEXES = {"prm_user_idempotency_key", "prm_user_key_pkey"}
# Those of all tables that have a user's id as their key, or in it; each partition of the log has its own.
ID_INDEXES = re.compile(r"prm_user(_location|_login|_picture|_event_p\d+|_pending)?_pkey")
PATIENCE = timedelta(seconds=1)


class UserCommandRepository:
    """Users in PostgreSQL."""

    def __init__(
        self, database: Database, app_id: str, reads: Database | None = None, archive_dir: str = ""
    ) -> None:
        """`reads` has the share of sessions that people's questions may take, `archive_dir` old events."""
        self._database = database
        self._reads = reads or database
        self._archived = ArchivedEvents(self._reads, archive_dir)
        self._app_id = app_id
        self._keys = HeldKeys(database, QUERIES["find_held_keys"])
        #: Why PostgreSQL refuses to create users, in a sentence for anybody; None while it does not.
        self.refusal: str | None = None
        #: Called when the sequence has given an id that is taken.
        self.on_taken_id: Callable[[], None] = lambda: None
        self._ids = ReferenceIds(database)
        self._endings = Endings(database, KIND, app_id, reads)
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
        await self._learn_ids(commands, [command.profile for command in commands])
        arguments = (*self._columns(commands), self._app_id, incarnation)
        rows = await self._write(QUERIES["create_users"], commands, *arguments, server=server)
        self.counters.created += len(rows)
        now = uptime()
        return [
            StoredUser(
                user_id,
                command.seed,
                self._app_id,
                1,
                created_at,
                command.profile,
                command.traceparent,
                read_at=now,
            )
            for command, (user_id, created_at) in zip(commands, rows, strict=True)
        ]

    def _columns(self, commands: Sequence[CreateUserCommand]) -> tuple[list[Any], ...]:
        """The arguments of `create_users` that are about users."""
        profiles = [command.profile for command in commands]
        keys = [command.idempotency for command in commands]
        return (
            [created_data(profile) for profile in profiles],
            *self._ids.columns(profiles),
            [command.seed for command in commands],
            [None if key is None else key.key for key in keys],
            [None if key is None else key.fingerprint for key in keys],
            [command.traceparent for command in commands],
        )

    async def _learn_ids(self, commands: Sequence[Keyed], profiles: Sequence[Profile]) -> None:
        """Learn the ids of all countries and time zones; each profile is that of the command at its place.

        Raises:
            HeldUp: another open transaction is adding some of them; names the commands that need those.
            Unavailable: PostgreSQL does not answer.
        """
        await self._ids.learn(profiles)
        if held_up := [
            command for command, one in zip(commands, profiles, strict=True) if not self._ids.knows(one)
        ]:
            raise HeldUp(held_up, "adds the same country or time zone")

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
            arguments = (*self._columns([]), self._app_id, incarnation, None)
            await self._database.fetch(QUERIES["create_users"], *arguments, within=PATIENCE)
            self.refusal = None

    async def _write(
        self, query: Query, commands: Sequence[Keyed], *arguments: object, server: int
    ) -> list[asyncpg.Record]:
        """Run a statement that writes keys, too; its last argument is how long it may wait for one.

        Raises:
            NoStandby: it would be committed on one host alone.
        """
        self._database.standby.require()
        try:
            async with self._keys.waiting_briefly(commands) as limit:
                try:
                    return await self._database.fetch(query, *arguments, limit, server=server)
                except asyncpg.CheckViolationError as error:
                    if error.table_name != "prm_user_event":
                        raise
                    # Ids have jumped, and none of us has seen it yet: there is no partition for them.
                    await self.extend_log()
                    return await self._database.fetch(query, *arguments, limit, server=server)
        except asyncpg.UniqueViolationError as error:
            if error.constraint_name in KEY_INDEXES:
                raise KeyTaken from error
            if ID_INDEXES.fullmatch(error.constraint_name or ""):
                # No user's fault: the sequence gives ids that are taken.
                self.on_taken_id()
                msg = "PostgreSQL's sequence gives ids that users have already"
                raise Unavailable(msg) from error
            raise

    async def extend_log(self) -> None:
        """See to it that the log has a partition for the ids that come next.

        Raises:
            Unavailable: PostgreSQL does not answer.
        """
        await self._database.fetch(QUERIES["extend_log"])

    async def change(self, drafts: Sequence[Draft], incarnation: int) -> None:
        """Commit what was decided about users, but for those that changed meanwhile.

        Raises:
            KeyTaken: an idempotency key was used already; `find_by_keys` says for what.
            HeldUp: some commands would have to wait for others' transactions; the rest may be carried out.
            Unavailable: PostgreSQL does not answer; whether it has committed may be unknown.
        """
        server = self._database.server
        news = [draft for draft in drafts if draft.is_changed]
        commands = [command for draft in drafts for command in draft.commands]
        needed = [(one, draft.profile) for draft in news if draft.profile for one in draft.commands]
        await self._learn_ids([one for one, _ in needed], [profile for _, profile in needed])
        columns = (*columns_of_users(news, self._ids), self._app_id, incarnation)
        arguments = (*columns, *columns_of_events(news), *columns_of_keys(drafts))
        rows = await self._write(QUERIES["change_users"], commands, *arguments, server=server)
        committed = {row["id"]: row["updated_at"] for row in rows}
        for draft in news:
            if draft.id in committed:
                draft.committed_at = committed[draft.id]
                self.counters.count_changes(change.event for change in draft.changes)

    async def read(self, ids: Sequence[int]) -> dict[int, StoredUser | UnreadableUser]:
        """The users of these ids as they are now, by id; one that is not there is missing.

        Raises:
            Unavailable: PostgreSQL does not answer, or has found one of them damaged.
        """
        found: dict[int, StoredUser | UnreadableUser] = {}
        for row in await self._database.fetch(QUERIES["read_users"], ids):
            if row["seed"] is not None:
                try:
                    found[row["id"]] = stored_user(row)
                except UnreadableUser as error:
                    found[row["id"]] = error
        return found

    async def find_by_keys(self, keys: Sequence[str]) -> dict[str, Known[StoredUser | Exception]]:
        """What commands with these keys have led to, by key; a key that was never used is missing.

        Raises:
            Unavailable: PostgreSQL does not answer.
        """
        rows = await self._database.fetch(QUERIES["find_users_by_keys"], keys)
        return {row["key"]: Known(row["fingerprint"] or b"", await self._result_of(row)) for row in rows}

    async def _result_of(self, row: asyncpg.Record) -> StoredUser | Exception:
        """What the command of a row of `find_users_by_keys` has led to."""
        if row["claimed_by"] is not None:
            return OtherCell(row["claimed_by"])
        events: Sequence[StoredEvent] = msgspec.json.decode(row["events"] or "[]", type=list[StoredEvent])
        try:
            events = await self._archived.complete(row["id"], events, ArchivedEvent.stored)
        except ArchiveAway as error:
            return error
        return _result_of(row, [one for one in events if one.is_change and one.version <= row["version"]])

    async def set_aside(self, commands: Sequence[DeadLetterUserCommand]) -> None:
        """Make each user that is still pending at this version a dead letter.

        Raises:
            Unavailable: PostgreSQL does not answer. Doing it again is harmless.
        """
        letters = [(command.user_id, command.version, command.error) for command in commands]
        await self._endings.set_aside(letters)

    async def synchronize(self, commands: Sequence[SynchronizeUserCommand]) -> None:
        """Record SYNCRONIZED for each user that is still pending at this version or an earlier one.

        Raises:
            Unavailable: PostgreSQL does not answer. Doing it again is harmless.
        """
        versions = [(command.user_id, command.version) for command in commands]
        epoch = min(command.epoch for command in commands)
        for ended in await self._endings.synchronize(versions, epoch):
            self.counters.count_synchronized(*ended)

    async def read_pending(
        self, ids: Sequence[int], versions: Sequence[int]
    ) -> Sequence[StoredUser | Unreadable]:
        """The users of these ids as they are now; of one that cannot be read, why.

        Raises:
            Unavailable: PostgreSQL does not answer, or has found one of them damaged.
        """
        found = await self.read(ids)
        return [
            user if isinstance(user, StoredUser) else Unreadable(user_id, version, _why_unreadable(user))
            for user_id, version in zip(ids, versions, strict=True)
            for user in [found.get(user_id)]
        ]

    async def not_synchronized(self, ids: Sequence[int]) -> set[int]:
        """Those of these users that MongoDB has not acknowledged as they are now.

        Raises:
            Unavailable: PostgreSQL does not answer.
        """
        return await self._endings.not_synchronized(ids)

    async def events(self, user_id: int) -> Sequence[StoredEvent]:
        """All events of a user, in order; none where there is no such user.

        Raises:
            ArchiveAway: some are in a file that cannot be read here.
            Unavailable: PostgreSQL does not answer.
        """
        rows = await self._reads.fetch(QUERIES["find_events"], user_id)
        events = [StoredEvent(**dict(row)) for row in rows]
        return await self._archived.complete(user_id, events, ArchivedEvent.stored)

    async def find(self, user_id: int) -> UserRows | None:
        """The normalized rows and the events of one user.

        Raises:
            UnreadableUser: its rows are in a form that no version of this program has written.
            ArchiveAway: some events are in a file that cannot be read here.
            Unavailable: PostgreSQL does not answer.
        """
        rows = await self._reads.fetch(QUERIES["find_user"], user_id)
        try:
            user = msgspec.json.decode(rows[0][0], type=UserRows) if rows else None
        except msgspec.MsgspecError as error:
            raise UnreadableUser(user_id, str(error)) from error
        if user is None:
            return None
        events = await self._archived.complete(user_id, user.events, _event_row)
        return msgspec.structs.replace(user, events=list(events))


def _why_unreadable(user: UnreadableUser | None) -> str:
    return f"cannot be read: {'PostgreSQL has no such user' if user is None else user.why}"


def _event_row(event: ArchivedEvent) -> EventRow:
    data = None if event.data is None else msgspec.json.decode(event.data, type=dict[str, Any])
    columns = (event.format, event.seed, event.app_id, event.created_at)
    return EventRow(event.id, event.version, event.event_type, data, *columns)


def _result_of(row: asyncpg.Record, events: Sequence[StoredEvent]) -> StoredUser | Exception:
    version, is_erased = row["version"], row["status"] == "ERASED"
    if is_erased and version < row["last_version"]:
        return Gone(KIND)
    updated_at = events[-1].created_at if version > 1 and events else None
    columns = (row["id"], row["seed"], row["app_id"], version, row["created_at"])
    try:
        profile = None if is_erased else _profile_after(events, row)
    except UnreadableEvent as error:
        return UnreadableUser(row["id"], str(error))
    return StoredUser(*columns, profile, updated_at=updated_at)


def _profile_after(events: Sequence[StoredEvent], row: asyncpg.Record) -> Profile | None:
    try:
        if (state := state_after(events)) is not None:
            return state.profile
    except UnreadableEvent:
        if row["version"] != row["last_version"]:
            raise
    # An answer needs no more of the profile, and for the version of now the rows have it.
    return Profile(row["email"])
