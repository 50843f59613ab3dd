"""Fills the tables and the collection quickly: users that came by the flow, copied inside of both servers.

The copies are what the flow would have made of them: rows, events, documents, counters, and no pending row.
"""

import asyncio
import hashlib
import time
from collections.abc import Iterator
from typing import Any

import asyncpg
import msgspec
from pymongo import AsyncMongoClient

from tandem.postgres.queries import load_queries
from tandem_lab.bench.fill import CONNECTIONS, LONGEST_CHUNK_SECONDS, clean_up
from tandem_lab.bench.load import Load, generate, plan_of
from tandem_lab.bench.measure import until_drained
from tandem_lab.bench.probe import Probe
from tandem_stack.status import Status

ORIGINALS = 20_000
_AT_A_TIME = 5_000
QUERIES = load_queries(__package__ or "", "multiply.sql")


async def multiply(probe: Probe, url: str, users: int) -> None:
    """Have about so many users more: some by the flow, and copies of them.

    Raises:
        GeneratorFailed, NotDrained: the flow was not carried out.
        OSError, PostgresError, PyMongoError: a server of the stack does not answer.
    """
    seed = f"lab-originals-{time.time_ns()}"
    plan = plan_of(url, Load(LONGEST_CHUNK_SECONDS, CONNECTIONS), seed=seed)
    await generate(msgspec.structs.replace(plan, requests=min(ORIGINALS, users)))
    await until_drained(probe, seed)
    if copies := max(users // ORIGINALS - 1, 0):
        await _copy(probe.running, seed, copies)
    await clean_up(probe.running)


async def _copy(running: Status, seed: str, copies: int) -> None:
    async with (
        asyncpg.create_pool(running.postgres.url, min_size=1, max_size=2, timeout=10) as postgres,
        AsyncMongoClient[Any](running.mongodb.url) as mongodb,
    ):
        collection = mongodb.get_default_database("tandem").get_collection("users")
        originals = await collection.find({"seed": seed}).sort("_id").to_list(None)
        for query in ("drop_originals", "make_originals"):
            await postgres.execute(QUERIES[query].sql)
        await postgres.execute(QUERIES["prepare"].sql, seed)
        users = copies * len(originals)
        first = await postgres.fetchval(QUERIES["take_ids"].sql, users)
        starts = [first + number * len(originals) for number in range(copies)]
        await asyncio.gather(
            _rows(postgres, starts),
            *(_documents(collection, originals, starts[half::2]) for half in range(2)),
        )
        await postgres.execute(QUERIES["drop_originals"].sql)
        await postgres.execute(QUERIES["finish"].sql, users)


async def _rows(postgres: asyncpg.Pool, starts: list[int]) -> None:
    for start in starts:
        await postgres.execute(QUERIES["copy"].sql, start, timeout=600)


async def _documents(collection: Any, originals: list[dict[str, Any]], starts: list[int]) -> None:
    for start in starts:
        for documents in _copies(originals, start):
            await collection.insert_many(documents, ordered=False)


def _copies(originals: list[dict[str, Any]], start: int) -> Iterator[list[dict[str, Any]]]:
    """One copy of each, in batches: with the ids and the addresses that the rows have."""
    for place in range(0, len(originals), _AT_A_TIME):
        batch = originals[place : place + _AT_A_TIME]
        yield [_copy_of(document, start + place + number) for number, document in enumerate(batch)]


def _copy_of(document: dict[str, Any], id_: int) -> dict[str, Any]:
    prefix = hashlib.md5(str(id_).encode(), usedforsecurity=False).hexdigest()[:6]
    return {**document, "_id": id_, "seed": "lab-copies", "email": f"{prefix}.{document['email']}"}
