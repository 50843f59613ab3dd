"""Compares the ledger, PostgreSQL and MongoDB, cell by cell and user by user in the order of their ids.

Both databases are streamed. Only what the ledger says is in memory: some 300 bytes for each command.
"""

from collections.abc import AsyncIterator, Iterator, Sequence
from datetime import timedelta
from importlib import resources
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import asyncpg

from tandem.mongodb.client import Collection, collection_of, open_client
from tandem.mongodb.document import Document, is_tombstone
from tandem_lab.proof.aggregate_cases import AggregateCases
from tandem_lab.proof.judge import Promise, Row, judge
from tandem_lab.proof.ledger import Acknowledged, Kind, read_ledger
from tandem_lab.proof.stack import Cell, System
from tandem_lab.proof.verdict import Counts, Failure

PAGE = 1_000  # users fetched at a time
DEADLINE = timedelta(seconds=600)  # for all users of a run
USERS_OF_RUN = resources.files("tandem_lab.proof").joinpath("users_of_run.sql").read_text()


class Cases(Protocol):
    """How the users of a run are judged, or other things."""

    #: All keys in the ledger.
    keys: set[str]

    def promise(self, created: Acknowledged) -> Any:
        """What the ledger says of one that was created so. `add` notes what else was acknowledged."""

    def rows(self, connection: asyncpg.Connection, seed: str) -> AsyncIterator[tuple[int, Any]]:
        """All of the run in PostgreSQL by their ids, ascending, each as its `judge` knows it."""

    def judge(self, promise: Any, row: Any, document: Document | None) -> Iterator[Failure]:
        """What is wrong with one. None means that it is missing there."""

    async def undone(self, connection: asyncpg.Connection) -> Sequence[int]:
        """Whose events have something to follow from them that has not."""


class UserCases:
    """See `Cases`."""

    def __init__(self) -> None:
        self.keys: set[str] = set()

    def promise(self, created: Acknowledged) -> Promise:
        """See `Cases`."""
        return Promise(created.key, bytes.fromhex(created.content))

    async def rows(self, connection: asyncpg.Connection, seed: str) -> AsyncIterator[tuple[int, Row]]:
        """See `Cases`."""
        async for record in connection.cursor(USERS_OF_RUN, seed, prefetch=PAGE):
            yield record["id"], Row(*record)

    def judge(self, promise: Promise | None, row: Row | None, document: Document | None) -> Iterator[Failure]:
        """See `Cases`."""
        if promise is not None:
            yield from judge(promise, row, document)
        # A key without a promise was committed, but never acknowledged. That breaks no promise.
        elif row is None or row.key is None or row.key in self.keys:
            yield Failure.DOUBLED

    async def undone(self, connection: asyncpg.Connection) -> Sequence[int]:
        """See `Cases`."""
        del connection
        return ()


class Found(NamedTuple):
    """What is known of one id. None means that it is missing there."""

    id: int
    promise: Any
    row: Any
    document: Document | None


async def compare(system: System, seed: str, ledger: Path) -> Counts:
    """Count what became of the users of a run, or of its aggregates, in every cell.

    Raises:
        OSError, TimeoutError, asyncpg.PostgresError, pymongo.errors.PyMongoError: a database does not answer.
    """
    counts = Counts()
    cases: Cases = UserCases() if system.aggregate is None else AggregateCases(system.aggregate)
    promises = _promises(ledger, counts, cases)
    for id_ in promises:
        if not any(cell.has(id_) for cell in system.cells):
            counts.fail(Failure.MISPLACED, id_)
    for cell in system.cells:
        async with (
            open_client(cell.mongodb_url, name="prove", deadline=DEADLINE) as client,
            cell.postgres(DEADLINE.total_seconds()) as connection,
        ):
            documents = collection_of(client, await system.collection(connection))
            await _count_strangers(documents, seed, counts)
            async with connection.transaction(isolation="repeatable_read", readonly=True):
                rows = cases.rows(connection, seed)
                every = _aligned(_promised(promises, cell), rows, _documents(documents, seed))
                await _judge_all(every, cell, cases, counts)
                for id_ in await cases.undone(connection):
                    counts.fail(Failure.PENDING, id_)
    counts.deleted = sum(promise.is_deleted for promise in promises.values())
    return counts


async def _count_strangers(documents: Collection, seed: str, counts: Counts) -> None:
    """Ids that are not numbers are not the service's, and cannot be compared with its ids."""
    strangers = await documents.count_documents({"seed": seed, "_id": {"$not": {"$type": "number"}}})
    counts.in_mongodb += strangers
    counts.doubled += strangers


async def _judge_all(every: AsyncIterator[Found], cell: Cell, cases: Cases, counts: Counts) -> None:
    """Count what became of each, and what is wrong with it."""
    async for found in every:
        _count(counts, found)
        if not cell.has(found.id):
            counts.fail(Failure.MISPLACED, found.id)
            continue
        for failure in cases.judge(found.promise, found.row, found.document):
            counts.fail(failure, found.id)


def _promises(ledger: Path, counts: Counts, cases: Cases) -> dict[int, Any]:
    """The ledger in memory: its promises by id. Also counts contradictions in it."""
    promises: dict[int, Any] = {}
    keys = cases.keys
    for entry in read_ledger(ledger):
        if entry.key in keys:
            counts.fail(Failure.DOUBLED, entry.id)  # a second id for the same key
        elif entry.kind is not Kind.CREATE:
            promises[entry.id].add(entry)
        elif entry.id in promises:
            counts.fail(Failure.LOST, entry.id)  # a second key for the same id: it has no user of its own
        else:
            promises[entry.id] = cases.promise(entry)
        counts.acknowledged += entry.kind is Kind.CREATE and entry.key not in keys
        counts.updated += entry.kind is Kind.UPDATE and not entry.rejected
        keys.add(entry.key)
    return promises


def _count(counts: Counts, found: Found) -> None:
    """Count where a user is. What reactions have created is judged, and not counted."""
    if found.row is not None and not found.row.is_a_clients:
        return
    counts.in_mongodb += found.document is not None and not is_tombstone(found.document)
    if found.row is None:
        return
    counts.in_postgres += 1
    counts.synchronized += found.row.is_synchronized
    if found.row.pending:
        counts.fail(Failure.PENDING, found.id)
    if found.row.dead:
        counts.fail(Failure.DEAD_LETTER, found.id)


async def _promised(promises: dict[int, Any], cell: Cell) -> AsyncIterator[tuple[int, Any]]:
    for user_id in sorted(filter(cell.has, promises)):
        yield user_id, promises[user_id]


async def _documents(users: Collection, seed: str) -> AsyncIterator[tuple[int, Document]]:
    wanted = {"seed": seed, "_id": {"$type": "number"}}
    async for document in users.find(wanted, sort=[("_id", 1)], batch_size=PAGE):
        yield document["_id"], document


async def _aligned(*streams: AsyncIterator[tuple[int, Any]]) -> AsyncIterator[Found]:
    """What is known of every id that occurs in any of the three streams, each of which ascends by id."""
    heads = [await anext(stream, None) for stream in streams]
    while ids := [head[0] for head in heads if head is not None]:
        lowest = min(ids)
        found: list[Any] = []
        for place, head in enumerate(heads):
            if head is None or head[0] != lowest:
                found.append(None)
            else:
                found.append(head[1])
                heads[place] = await anext(streams[place], None)
        yield Found(lowest, *found)
