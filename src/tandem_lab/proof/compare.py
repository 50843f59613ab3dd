"""Compares the ledger, PostgreSQL and MongoDB, user by user in the order of their ids.

Both databases are streamed. Only what the ledger says is in memory: some 300 bytes for each command.
"""

from collections.abc import AsyncIterator, Container
from datetime import timedelta
from importlib import resources
from pathlib import Path
from typing import Any, NamedTuple

import asyncpg

from tandem.mongodb.client import Collection, open_client
from tandem.mongodb.document import Document, is_tombstone
from tandem.user_query.database import users_of
from tandem_lab.proof.judge import Promise, Row, judge
from tandem_lab.proof.ledger import Kind, read_ledger
from tandem_lab.proof.stack import System
from tandem_lab.proof.verdict import Counts, Failure

PAGE = 1_000  # users fetched at a time
DEADLINE = timedelta(seconds=600)  # for all users of a run
USERS_OF_RUN = resources.files("tandem_lab.proof").joinpath("users_of_run.sql").read_text()


class Found(NamedTuple):
    """What is known of one id. None means that it is missing there."""

    id: int
    promise: Promise | None
    row: Row | None
    document: Document | None


async def compare(system: System, seed: str, ledger: Path) -> Counts:
    """Count what became of the users of a run.

    Raises:
        OSError, TimeoutError, asyncpg.PostgresError, pymongo.errors.PyMongoError: a database does not answer.
    """
    counts = Counts()
    promises, keys = _promises(ledger, counts)
    async with (
        open_client(system.mongodb_url, name="prove", deadline=DEADLINE) as client,
        system.postgres(DEADLINE.total_seconds()) as connection,
    ):
        users = users_of(client)
        # Ids that are not numbers are not the service's, and cannot be compared with its ids.
        strangers = await users.count_documents({"seed": seed, "_id": {"$not": {"$type": "number"}}})
        counts.in_mongodb += strangers
        counts.doubled += strangers
        streams = (_promised(promises), _rows(connection, seed), _documents(users, seed))
        async for found in _aligned(*streams):
            _count(counts, found)
            _judge(counts, found, keys)
    return counts


def _promises(ledger: Path, counts: Counts) -> tuple[dict[int, Promise], set[str]]:
    """The ledger in memory: its promises by id, and its keys. Also counts contradictions in it."""
    promises: dict[int, Promise] = {}
    keys: set[str] = set()
    for entry in read_ledger(ledger):
        if entry.key in keys:
            counts.fail(Failure.DOUBLED, entry.id)  # a second id for the same key
        elif entry.kind is not Kind.CREATE:
            promises[entry.id].add(entry)
        elif entry.id in promises:
            counts.fail(Failure.LOST, entry.id)  # a second key for the same id: it has no user of its own
        else:
            promises[entry.id] = Promise(entry.key, bytes.fromhex(entry.content))
        counts.acknowledged += entry.kind is Kind.CREATE and entry.key not in keys
        counts.updated += entry.kind is Kind.UPDATE
        keys.add(entry.key)
    counts.deleted = sum(promise.is_deleted for promise in promises.values())
    return promises, keys


def _count(counts: Counts, found: Found) -> None:
    """Count where a user is."""
    counts.in_mongodb += found.document is not None and not is_tombstone(found.document)
    if found.row is None:
        return
    counts.in_postgres += 1
    counts.synchronized += found.row.is_synchronized
    if found.row.pending:
        counts.fail(Failure.PENDING, found.id)
    if found.row.dead:
        counts.fail(Failure.DEAD_LETTER, found.id)


def _judge(counts: Counts, found: Found, keys: Container[str | None]) -> None:
    """Count what is wrong with a user."""
    user_id, promise, row, document = found
    if promise is not None:
        for failure in judge(promise, row, document):
            counts.fail(failure, user_id)
    # A key without a promise was committed, but never acknowledged. That breaks no promise.
    elif row is None or row.key is None or row.key in keys:
        counts.fail(Failure.DOUBLED, user_id)


async def _promised(promises: dict[int, Promise]) -> AsyncIterator[tuple[int, Promise]]:
    for user_id in sorted(promises):
        yield user_id, promises[user_id]


async def _rows(connection: asyncpg.Connection, seed: str) -> AsyncIterator[tuple[int, Row]]:
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        async for record in connection.cursor(USERS_OF_RUN, seed, prefetch=PAGE):
            yield record["id"], Row(*record)


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
