"""The frozen floor: the service's statements as they once were, in batches of 500, without HTTP.

    export POSTGRES_URL=... MONGODB_URL=...
    python -m tandem_lab.baselines.frozen_floor.floor --users 40000 --lanes 2 3

All that is timed lies in this folder and stays as it is, so that no change of the service can move the mark
that the service is measured by. It was copied when the service's first part was done (commit 005a048), while
`tandem_lab.baselines.floor` runs the statements of today. Both URLs are the owner's. Each run begins with a
schema and a collection of its own, named `frozen_floor`, and leaves its users there to be looked at.
"""

import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
from pymongo import ASCENDING, DESCENDING, AsyncMongoClient, IndexModel, WriteConcern
from pymongo.asynchronous.collection import AsyncCollection

from tandem.random_users import random_users
from tandem_lab.baselines.frozen_floor.lanes import Bring, main
from tandem_lab.baselines.frozen_floor.users import Profile, Timezone, document_of, profile_of, row_of

HERE = Path(__file__).parent
NAME = "frozen_floor"
CREATE = (HERE / "create_users.sql").read_text()
SYNCHRONIZE = (HERE / "synchronize_users.sql").read_text()
SESSION_SETTINGS = {
    "search_path": NAME,
    "jit": "off",
    "plan_cache_mode": "force_generic_plan",
    "enable_seqscan": "off",
    "synchronous_commit": "on",
    "timezone": "UTC",
}
INDEXES = [
    IndexModel([("email", ASCENDING), ("_id", DESCENDING)]),
    IndexModel([("seed", ASCENDING), ("_id", ASCENDING)]),
]
INCARNATION = 1
VERSION = 1


def make_users(count: int) -> list[Profile]:
    """Profiles of different users."""
    return [profile_of(user) for user in random_users(NAME, 0, count)]


@asynccontextmanager
async def opened(users: Sequence[Profile]) -> AsyncIterator[Bring[Profile]]:
    """Make schema and collection afresh, and give what brings a batch through both databases."""
    client: AsyncMongoClient[dict[str, Any]] = AsyncMongoClient(os.environ["MONGODB_URL"])
    pool = asyncpg.create_pool(
        os.environ["POSTGRES_URL"],
        min_size=1,
        max_size=8,
        max_cached_statement_lifetime=0,
        reset=_keep_session,
        server_settings=SESSION_SETTINGS,
    )
    async with client, pool:
        documents = await _fresh_collection(client)
        await _fresh_schema(pool)
        countries, timezones = await _reference_ids(pool, users)

        async def bring(batch: Sequence[Profile]) -> None:
            rows_in = [row_of(user, NAME, countries, timezones) for user in batch]
            rows = await pool.fetch(CREATE, rows_in, NAME, INCARNATION)
            ids = [row["id"] for row in rows]
            await documents.insert_many(
                [document_of(user_id, user, NAME, NAME) for user_id, user in zip(ids, batch, strict=True)],
                ordered=False,
            )
            await pool.fetch(SYNCHRONIZE, ids, VERSION, NAME)

        yield bring


async def _keep_session(connection: asyncpg.Connection) -> None:
    """Nothing to reset: no statement here leaves a trace in its session. Saves a round trip a call."""


async def _fresh_collection(client: AsyncMongoClient[dict[str, Any]]) -> AsyncCollection[dict[str, Any]]:
    acknowledged = WriteConcern(w="majority", j=True)
    documents = client.get_default_database("tandem").get_collection(NAME, write_concern=acknowledged)
    await documents.drop()
    await documents.create_indexes(INDEXES)
    return documents


async def _fresh_schema(pool: asyncpg.Pool) -> None:
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute(f"DROP SCHEMA IF EXISTS {NAME} CASCADE; CREATE SCHEMA {NAME}")
        await connection.execute((HERE / "schema.sql").read_text())


async def _reference_ids(
    pool: asyncpg.Pool, users: Sequence[Profile]
) -> tuple[dict[str, int], dict[Timezone, int]]:
    """The ids of all countries and time zones; the service, too, looks them up once and remembers them."""
    countries = await pool.fetch(
        "INSERT INTO prm_country (name) SELECT unnest($1::text[]) RETURNING name, id",
        sorted({user.location.country for user in users}),
    )
    zones = list({user.location.timezone for user in users})
    timezones = await pool.fetch(
        "INSERT INTO prm_timezone (utc_offset, description) SELECT * FROM unnest($1::text[], $2::text[]) "
        "RETURNING utc_offset, description, id",
        [zone.offset for zone in zones],
        [zone.description for zone in zones],
    )
    return (
        {row["name"]: row["id"] for row in countries},
        {Timezone(offset, description): zone_id for offset, description, zone_id in timezones},
    )


if __name__ == "__main__":
    main(__doc__, make_users, opened)
