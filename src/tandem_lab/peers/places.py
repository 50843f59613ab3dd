"""Where peers keep their data: a schema and a database of their own, made afresh for each."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from urllib.parse import urlsplit

import asyncpg

from tandem.mongodb.client import open_client
from tandem_lab.peers.protocol import Databases
from tandem_stack.mongodb import LAB_DATABASE

SCHEMA = "peer"
#: What a baseline makes for itself wherever it runs, also where it is a peer.
OF_BASELINE = "plain_way"
DEADLINE = timedelta(seconds=60)


@asynccontextmanager
async def fresh_places(postgres_url: str, mongodb_url: str) -> AsyncIterator[Databases]:
    """An empty schema and an empty database on the servers of the owner's URLs, for the time of a block.

    Raises:
        OSError, asyncpg.PostgresError, PyMongoError: a server does not answer, or allows too little.
    """
    places = Databases(
        f"{postgres_url}{'&' if '?' in postgres_url else '?'}options=-csearch_path%3D{SCHEMA}",
        urlsplit(mongodb_url)._replace(path=f"/{LAB_DATABASE}").geturl(),
    )
    await _empty(postgres_url, places.mongodb_url, f"; CREATE SCHEMA {SCHEMA}")
    try:
        yield places
    finally:
        await _empty(postgres_url, places.mongodb_url)


async def _empty(postgres_url: str, mongodb_url: str, and_then: str = "") -> None:
    connection = await asyncpg.connect(postgres_url)
    try:
        await connection.execute(f"DROP SCHEMA IF EXISTS {SCHEMA}, {OF_BASELINE} CASCADE{and_then}")
    finally:
        await connection.close()
    async with open_client(mongodb_url, name="peer", deadline=DEADLINE) as client:
        await client.drop_database(LAB_DATABASE)
