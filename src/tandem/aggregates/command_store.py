"""Aggregates of one kind in PostgreSQL: rows, events and what is pending, written in one transaction."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import asyncpg
import msgspec

from tandem.aggregates.definition import Aggregate
from tandem.aggregates.drafts import Draft
from tandem.aggregates.events import StoredEvent, state_after
from tandem.aggregates.messages import Outcome, Stored, UnreadableAggregate
from tandem.aggregates.queries import own_queries, queries_of
from tandem.delivery.endings import Endings
from tandem.delivery.held_keys import HeldKeys
from tandem.delivery.idempotency import Idempotency, KeyTaken, Known
from tandem.delivery.pending import Claimed, PendingRows, Unreadable
from tandem.delivery.rejections import Rejection
from tandem.kernel import Unavailable
from tandem.kernel.cells import OtherCell
from tandem.postgres.database import Database
from tandem.postgres.sessions import Session
from tandem.user.stored import uptime
from tandem.user_command.counters import StageCounters
from tandem.user_command.event_log import UnreadableEvent


class PostgresCommandStore:
    """See `ports.CommandStore`."""

    def __init__(
        self, aggregate: Aggregate[Any], database: Database, app_id: str, reads: Database | None = None
    ) -> None:
        """`reads` has the share of the sessions that people's questions may take."""
        kind = aggregate.name
        self._aggregate = aggregate
        self._database = database
        self._reads = reads or database
        self._app_id = app_id
        self._queries = queries_of(kind)
        self._own = own_queries(aggregate)
        self._keys = HeldKeys(database, self._queries["find_held_keys"])
        self._endings = Endings(database, kind, app_id, reads)
        self.pending: PendingRows[Stored] = PendingRows(database, kind, self._read_pending, reads)
        #: What was committed here since this instance began.
        self.counters = StageCounters()
        #: Called when the sequence has given an id that is taken.
        self.on_taken_id: Callable[[], None] = lambda: None

    async def record(self, drafts: Sequence[Draft], incarnation: int) -> None:
        """See `ports.CommandStore`.

        Raises:
            Rejection: a draft alone breaks a rule of the aggregate's own tables; names the rule.
        """
        self._database.standby.require()
        server = self._database.server
        commands = [sent for draft in drafts for sent, _ in draft.accepted]
        try:
            async with self._keys.waiting_briefly(commands) as limit:
                arguments = (*_columns(drafts), self._app_id, incarnation, limit, self._aggregate.format)
                write = partial(self._write, drafts, arguments)
                rows = await self._database.transact(f"record {self._aggregate.name}", write, server=server)
        except asyncpg.IntegrityConstraintViolationError as error:
            raise self._meaning_of(error, drafts) from error
        for row in rows:
            self._note(drafts[row["place"] - 1], row)

    async def _write(
        self, drafts: Sequence[Draft], arguments: tuple[object, ...], session: Session
    ) -> list[asyncpg.Record]:
        """Write the drafts, and the states of those that were, to the aggregate's own tables."""
        rows: list[asyncpg.Record] = await session.fetch(self._queries["record"].sql, *arguments)
        written = [(row["id"], drafts[row["place"] - 1].state) for row in rows]
        states = [_with_id(id_, state) for id_, state in written if state is not None]
        if states:
            await session.fetch(self._own["write"].sql, f"[{','.join(states)}]")
        return rows

    def _meaning_of(
        self, error: asyncpg.IntegrityConstraintViolationError, drafts: Sequence[Draft]
    ) -> Exception:
        kind, rule = self._aggregate.name, error.constraint_name
        if rule == f"prm_{kind}_key_pkey":
            return KeyTaken()
        if rule in {f"prm_{kind}{table}_pkey" for table in ("", "_event", "_pending")}:
            # Nobody's fault: the sequence gives ids that are taken.
            self.on_taken_id()
            return Unavailable("PostgreSQL's sequence gives ids that are taken already")
        if len(drafts) == 1:
            return Rejection(f"It breaks the rule {rule or error.column_name} of the database.")
        return error

    def _note(self, draft: Draft, row: asyncpg.Record) -> None:
        if draft.id is None:
            self.counters.created += 1
            draft.id, draft.app_id = row["id"], self._app_id
        elif draft.state is None:
            self.counters.deleted += 1
        else:
            self.counters.updated += len(draft.changes)
        draft.committed_at = row["at"]

    async def read(self, ids: Sequence[int]) -> dict[int, Stored | UnreadableAggregate]:
        """See `ports.CommandStore`."""
        rows = await self._database.fetch(self._queries["read"], ids)
        return {row["id"]: stored_of(self._aggregate, row) for row in rows}

    async def find_by_keys(self, keys: Sequence[str]) -> dict[str, Known[Outcome]]:
        """See `ports.CommandStore`."""
        rows = await self._database.fetch(self._queries["find_by_keys"], keys)
        return {row["key"]: Known(row["fingerprint"] or b"", self._outcome(row)) for row in rows}

    async def keep_rejection(self, key: Idempotency, why: str) -> None:
        """See `ports.CommandStore`."""
        await self._database.fetch(self._queries["keep_rejection"], key.key, key.fingerprint, why)

    def _outcome(self, row: asyncpg.Record) -> Outcome | Exception:
        if row["claimed_by"] is not None:
            return OtherCell(row["claimed_by"])
        if row["rejection"] is not None:
            return Rejection(row["rejection"])
        events = msgspec.json.decode(row["events"], type=list[StoredEvent])
        try:
            state = state_after(self._aggregate, events)
        except UnreadableEvent as error:
            return UnreadableAggregate(self._aggregate.name, row["id"], str(error))
        columns = (row["id"], row["seed"], row["app_id"], row["version"], row["created_at"], state)
        return Outcome(Stored(*columns, events[-1].created_at if row["version"] > 1 else None))

    async def synchronize(self, versions: Sequence[tuple[int, int]], epoch: int = 0) -> None:
        """See `ports.CommandStore`."""
        for ended in await self._endings.synchronize(versions, epoch):
            self.counters.count_synchronized(*ended)

    async def set_aside(self, letters: Sequence[tuple[int, int, str]]) -> None:
        """See `ports.CommandStore`."""
        await self._endings.set_aside(letters)

    async def not_synchronized(self, ids: Sequence[int]) -> set[int]:
        """See `ports.CommandStore`."""
        return await self._endings.not_synchronized(ids)

    async def events(self, id_: int) -> list[StoredEvent]:
        """See `ports.CommandStore`."""
        rows = await self._reads.fetch(self._queries["find_events"], id_)
        return [StoredEvent(**dict(row)) for row in rows]

    async def ids(self, lookup: str, arguments: Sequence[Any], after: int) -> list[int]:
        """See `ports.CommandStore`. The query is given the arguments, and then `after`."""
        return [row[0] for row in await self._database.fetch(self._own[lookup], *arguments, after)]

    async def claim(self, incarnation: int, held: Sequence[int], most: int) -> Claimed[Stored]:
        """See `ports.CommandStore`."""
        return await self.pending.claim(incarnation, held, most)

    async def _read_pending(
        self, ids: Sequence[int], versions: Sequence[int]
    ) -> Sequence[Stored | Unreadable]:
        found = await self.read(ids)
        return [
            one if isinstance(one, Stored) else Unreadable(id_, version, _why_unreadable(one))
            for id_, version in zip(ids, versions, strict=True)
            for one in [found.get(id_)]
        ]


def stored_of(aggregate: Aggregate[Any], row: asyncpg.Record) -> Stored | UnreadableAggregate:
    """The aggregate of a row of the queries `read` and `read_rows`."""
    state = None
    if row["status"] != "DELETED":
        try:
            if row["state"] is None:
                why = f"prm_{aggregate.name}_state has nothing of it"
                return UnreadableAggregate(aggregate.name, row["id"], why)
            state = msgspec.json.decode(row["state"], type=aggregate.state)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            return UnreadableAggregate(aggregate.name, row["id"], str(error))
    columns = (row["id"], row["seed"], row["app_id"], row["version"], row["created_at"], state)
    return Stored(*columns, row["updated_at"], row["traceparent"], uptime())


def _why_unreadable(found: UnreadableAggregate | None) -> str:
    return f"cannot be read: {'PostgreSQL has no such row' if found is None else found.why}"


def _with_id(id_: int, state: Any) -> str:
    """A state as JSON, with the id as its first member."""
    encoded = msgspec.json.encode(state).decode()
    return f'{{"id":{id_}{"," if len(encoded) > 2 else ""}{encoded[1:]}'


def _columns(drafts: Sequence[Draft]) -> tuple[object, ...]:
    """The arguments of `record` that are about drafts, their ids, their events and their keys."""
    heads = [
        (
            draft.id,
            draft.read_version,
            draft.version,
            draft.seed,
            draft.changes[-1].event_type if draft.changes else "",
            draft.state is None,
        )
        for draft in drafts
    ]
    events = [
        (place, one.version, one.event_type, one.data, one.traceparent, one.cause)
        for place, draft in enumerate(drafts, 1)
        for one in draft.changes
    ]
    keys = [
        (sent.idempotency.key, sent.idempotency.fingerprint, place, version)
        for place, draft in enumerate(drafts, 1)
        for sent, version in draft.accepted
        if sent.idempotency is not None
    ]
    ids = [draft.id for draft in drafts if draft.id is not None]
    return heads, ids, events, keys
