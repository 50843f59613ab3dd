"""Prepares the tables for a measurement: fills them over HTTP in chunks, and tidies them up."""

import time

import asyncpg
import msgspec
from pymongo import AsyncMongoClient

from tandem_lab.bench.load import Load, generate, plan_of
from tandem_lab.bench.measure import until_drained
from tandem_lab.bench.probe import Probe
from tandem_stack.status import Status

#: About how many users are created in a second, to estimate how long it will take.
USERS_A_SECOND = 8_000
USERS_A_CHUNK = 50_000
CONNECTIONS = 200
# A chunk ends when all of its users are answered. This is only an upper bound.
LONGEST_CHUNK_SECONDS = 300.0
#: Schemas and collections that the baselines leave behind for inspection.
LEFT_BEHIND = ("frozen_floor", "one_at_a_time", "plain_way")


async def fill(probe: Probe, url: str, users: int) -> None:
    """Create this many different users, wait until all are synchronized, and tidy the tables up.

    Raises:
        GeneratorFailed, NotDrained: the load was not carried out, or its users did not arrive.
    """
    load = Load(LONGEST_CHUNK_SECONDS, CONNECTIONS)
    for first in range(0, users, USERS_A_CHUNK):
        seed = f"lab-fill-{time.time_ns()}"
        plan = plan_of(url, load, seed=seed)
        await generate(msgspec.structs.replace(plan, requests=min(USERS_A_CHUNK, users - first)))
        await until_drained(probe, seed)
    await clean_up(probe.running)


async def clean_up(running: Status) -> None:
    """Drop what the baselines have left, and vacuum the service's tables as autovacuum would.

    Raises:
        OSError, PostgresError, PyMongoError: a server of the stack does not answer.
    """
    connection = await asyncpg.connect(running.postgres.url, timeout=10)
    try:
        await connection.execute(f"DROP SCHEMA IF EXISTS {', '.join(LEFT_BEHIND)} CASCADE")
        tables = await connection.fetch(
            "SELECT quote_ident(tablename) AS name FROM pg_tables WHERE schemaname = 'public'"
        )
        await connection.execute(f"VACUUM (ANALYZE) {', '.join(row['name'] for row in tables)}")
    finally:
        await connection.close()
    async with AsyncMongoClient[dict[str, object]](running.mongodb.url) as client:
        database = client.get_default_database("tandem")
        for name in LEFT_BEHIND:
            await database.drop_collection(name)
