"""Compares the ledger, PostgreSQL and MongoDB, user by user in the order of their ids.

Both databases are streamed. Only the ledger's keys and hashes are in memory: about 300 bytes for each user.
"""

from collections.abc import AsyncIterator, Container
from datetime import timedelta
from importlib import resources
from pathlib import Path
from typing import Any, NamedTuple

import asyncpg
import msgspec

from tandem.user_query.database import Users, open_client, users_of
from tandem.user_query.document import Document
from tandem_lab.proof.ledger import content_hash, read_ledger
from tandem_lab.proof.stack import System
from tandem_lab.proof.verdict import Counts, Failure

PAGE = 1_000  # users fetched at a time
DEADLINE = timedelta(seconds=600)  # for all users of a run
NOT_OF_THE_PROFILE = {"_id", "seed", "appId", "currentStatus", "version"}
USERS_OF_RUN = resources.files("tandem_lab.proof").joinpath("users_of_run.sql").read_text()
FIRST_VERSION = 1


class Promise(msgspec.Struct, frozen=True, gc=False):
    """What the ledger says of an id: its key, and the hash of its content."""

    key: str
    content: bytes


class Row(msgspec.Struct, frozen=True):
    """A user in PostgreSQL, as `users_of_run.sql` returns it."""

    id: int
    key: str | None
    version: int
    status: str
    pending: bool
    dead: bool
    #: How often each stage is recorded.
    created: int
    synchronized: int
    #: The state in CREATED, as JSON, and whether the normalized rows say the same.
    state: str | None
    rows_agree: bool

    @property
    def is_on_the_way(self) -> bool:
        """Whether PostgreSQL knows that MongoDB does not have the user."""
        return self.pending or self.dead

    def keeps(self, promise: Promise) -> bool:
        """Whether the event and the rows have what was promised, and agree on how far the flow is."""
        is_finished = self.status == "SYNCRONIZED" and self.synchronized == 1
        return (
            self.key == promise.key
            and self.version == FIRST_VERSION
            and self.rows_agree
            and (self.is_on_the_way or is_finished)
            and self.state is not None
            and content_hash(msgspec.json.decode(self.state)) == promise.content
        )


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
        elif entry.id in promises:
            counts.fail(Failure.LOST, entry.id)  # a second key for the same id: it has no user of its own
        else:
            promises[entry.id] = Promise(entry.key, bytes.fromhex(entry.content))
        keys.add(entry.key)
    counts.acknowledged = len(keys)
    return promises, keys


def _count(counts: Counts, found: Found) -> None:
    """Count where a user is."""
    counts.in_mongodb += found.document is not None
    if found.row is None:
        return
    counts.in_postgres += 1
    counts.synchronized += found.row.status == "SYNCRONIZED"
    if found.row.pending:
        counts.fail(Failure.PENDING, found.id)
    if found.row.dead:
        counts.fail(Failure.DEAD_LETTER, found.id)


def _judge(counts: Counts, found: Found, keys: Container[str | None]) -> None:
    """Count what is wrong with a user."""
    user_id, promise, row, document = found
    if promise is None:
        # A key without a promise was committed, but never acknowledged. That breaks no promise.
        if row is None or row.key is None or row.key in keys:
            counts.fail(Failure.DOUBLED, user_id)
        return
    if row is None or (document is None and not row.is_on_the_way):
        counts.fail(Failure.LOST, user_id)
    row_differs = row is not None and not row.keeps(promise)
    if row is not None and max(row.created, row.synchronized) > 1:
        counts.fail(Failure.DOUBLED, user_id)
    elif row_differs or (document is not None and not _document_keeps(document, promise)):
        counts.fail(Failure.DIFFERING, user_id)


def _document_keeps(document: Document, promise: Promise) -> bool:
    profile = {name: value for name, value in document.items() if name not in NOT_OF_THE_PROFILE}
    return (
        document.get("version") == FIRST_VERSION
        and document.get("currentStatus") == "SYNCRONIZED"
        and content_hash(profile) == promise.content
    )


async def _promised(promises: dict[int, Promise]) -> AsyncIterator[tuple[int, Promise]]:
    for user_id in sorted(promises):
        yield user_id, promises[user_id]


async def _rows(connection: asyncpg.Connection, seed: str) -> AsyncIterator[tuple[int, Row]]:
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        async for record in connection.cursor(USERS_OF_RUN, seed, prefetch=PAGE):
            yield record["id"], Row(*record)


async def _documents(users: Users, seed: str) -> AsyncIterator[tuple[int, Document]]:
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
