"""Fills the tables and the collection quickly: users that came by the flow, copied inside of both servers.

The copies are what the flow would have made of them: rows, events, documents, counters, and no pending row.
"""

import asyncio
import hashlib
import time
from collections.abc import Iterator
from importlib import resources
from typing import Any

import asyncpg
import msgspec
from pymongo import AsyncMongoClient

from tandem_lab.bench.fill import CONNECTIONS, LONGEST_CHUNK_SECONDS, clean_up
from tandem_lab.bench.load import Load, generate, plan_of
from tandem_lab.bench.measure import until_drained
from tandem_lab.bench.probe import Probe
from tandem_stack.status import Status

ORIGINALS = 20_000
_AT_A_TIME = 5_000
# Writes one copy of each original: ids from $1 on.
COPY = resources.files("tandem_lab.bench").joinpath("multiply.sql").read_text()
# What copies are made of: the users of a run, numbered.
MAKE = """
DROP TABLE IF EXISTS lab_original;
CREATE UNLOGGED TABLE lab_original (place bigint PRIMARY KEY, id bigint NOT NULL)
"""
PREPARE = (
    "INSERT INTO lab_original SELECT row_number() OVER (ORDER BY id) - 1, id FROM prm_user WHERE seed = $1"
)
# Takes so many ids as if they had been given, with partitions for them; answers the first.
TAKE_IDS = """
SELECT setval('prm_user_id_seq', first + $1 - 1) - $1 + 1 AS first_id,
       (SELECT count(tandem_extend_log(id)) FROM generate_series(first, first + $1, 5000000) AS id) AS looked
FROM (SELECT coalesce(pg_sequence_last_value('prm_user_id_seq'), 0) + 1 AS first) next
"""
# Counts the copies like all users.
COUNT = """
INSERT INTO prm_user_count AS c (
    seed, app_id, backend, total, synchronized, first_created_at, last_created_at)
VALUES ('lab-copies', 'lab', 0, $1, $1, now(), now())
ON CONFLICT (seed, app_id, backend) DO UPDATE SET
    total = c.total + excluded.total, synchronized = c.synchronized + excluded.synchronized
"""


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
        await postgres.execute(MAKE)
        await postgres.execute(PREPARE, seed)
        users = copies * len(originals)
        first = await postgres.fetchval(TAKE_IDS, users)
        starts = [first + number * len(originals) for number in range(copies)]
        await asyncio.gather(
            _rows(postgres, starts),
            *(_documents(collection, originals, starts[half::2]) for half in range(2)),
        )
        await postgres.execute("DROP TABLE lab_original")
        await postgres.execute(COUNT, users)


async def _rows(postgres: asyncpg.Pool, starts: list[int]) -> None:
    for start in starts:
        await postgres.execute(COPY, start, timeout=600)


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
    mark = hashlib.md5(str(id_).encode(), usedforsecurity=False).hexdigest()[:6]
    return {
        **document,
        "_id": id_,
        "seed": "lab-copies",
        "email": document["email"].replace("@", f".{mark}@"),
    }
