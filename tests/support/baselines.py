"""Running the programs of `tandem_lab.baselines`, and looking at what they leave behind."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
import msgspec
from pymongo import AsyncMongoClient

import tandem_lab.baselines

BASELINES = Path(tandem_lab.baselines.__file__).parent
USER_TABLES = ("prm_user", "prm_user_location", "prm_user_login", "prm_user_picture")


def urls_of(databases) -> dict[str, str]:
    return {"POSTGRES_URL": databases.postgres_owner_url, "MONGODB_URL": databases.mongodb_owner_url}


async def run(program: str, *arguments: str, **environment: str) -> tuple[int, str, str]:
    """Exit code, output and errors of a baseline's program."""
    known = {name: value for name, value in os.environ.items() if not name.endswith("_URL")}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        f"tandem_lab.baselines.{program}",
        *arguments,
        env=known | environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    output, errors = await process.communicate()
    assert process.returncode is not None
    return process.returncode, output.decode(), errors.decode()


async def result_of(program: str, databases, *arguments: str) -> dict[str, Any]:
    """The one line of JSON that a baseline prints."""
    exit_code, output, errors = await run(program, *arguments, **urls_of(databases))
    assert exit_code == 0, errors
    (line,) = output.splitlines()
    return dict(msgspec.json.decode(line))


@asynccontextmanager
async def looked_into(databases, place: str) -> AsyncIterator[tuple[asyncpg.Connection, Any]]:
    """A baseline's schema and collection."""
    postgres = await asyncpg.connect(databases.postgres_owner_url, server_settings={"search_path": place})
    async with AsyncMongoClient(databases.mongodb_owner_url) as client:
        yield postgres, client.get_default_database()[place]
    await postgres.close()


async def counts(postgres: asyncpg.Connection, *tables: str) -> list[int]:
    return [await postgres.fetchval(f"select count(*) from {table}") for table in tables]


async def stages(postgres: asyncpg.Connection) -> dict[str, int]:
    rows = await postgres.fetch("select event_type, count(*) from prm_user_event group by 1")
    return dict(rows)
