"""Between measurements: what would be cleared up in the middle of a later one is cleared up now."""

import asyncpg
from pymongo import AsyncMongoClient

from tandem_stack.status import Status

#: Schemas and collections that the baselines leave to be looked at.
LEFT_BEHIND = ("frozen_floor", "one_at_a_time", "plain_way")


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
