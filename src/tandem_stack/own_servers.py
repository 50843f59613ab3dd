"""Checks the database servers of `--postgres-url` and `--mongodb-url` before the stack uses them."""

import os
import re
from typing import Any

import asyncpg
from pymongo import AsyncMongoClient
from pymongo.errors import PyMongoError

from tandem_stack.errors import StackError

OLDEST_POSTGRES = 18
OLDEST_MONGODB = 5
# As in "[Errno 111] Connect call failed ('127.0.0.1', 1)".
ERRNO = re.compile(r"\[Errno (\d+)\](?: Connect call failed \([^()]*\)| [A-Z][a-z ]+)?")
ANSWER_SECONDS = 5  # how long a server may take to answer


async def check_postgres(url: str) -> None:
    """Check that PostgreSQL answers at `url` and is new enough.

    Raises:
        StackError: one of these is not so.
    """
    try:
        connection = await asyncpg.connect(url, timeout=ANSWER_SECONDS, command_timeout=ANSWER_SECONDS)
        try:
            version = int(await connection.fetchval("select current_setting('server_version_num')")) // 10_000
        finally:
            await connection.close(timeout=ANSWER_SECONDS)
    except (OSError, TimeoutError, ValueError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise _unusable("PostgreSQL", "--postgres-url", error) from None
    if version < OLDEST_POSTGRES:
        raise _too_old("PostgreSQL", "--postgres-url", str(version), OLDEST_POSTGRES)


async def check_mongodb(url: str) -> None:
    """Check that MongoDB answers at `url`, is new enough and a member of a replica set.

    Raises:
        StackError: one of these is not so.
    """
    try:
        client: AsyncMongoClient[dict[str, Any]] = AsyncMongoClient(
            url, serverSelectionTimeoutMS=ANSWER_SECONDS * 1000
        )
        async with client:
            version: str = (await client.admin.command("buildInfo"))["version"]
            hello = await client.admin.command("hello")
            await client.get_default_database("tandem").command("listCollections", nameOnly=True)
    except (PyMongoError, ValueError) as error:
        raise _unusable("MongoDB", "--mongodb-url", error) from None
    if int(version.split(".", maxsplit=1)[0]) < OLDEST_MONGODB:
        raise _too_old("MongoDB", "--mongodb-url", version, OLDEST_MONGODB)
    if "setName" not in hello:
        msg = (
            "The MongoDB of --mongodb-url belongs to no replica set, so it can neither retry a write nor say "
            "that one is safe. Start it with --replSet and call rs.initiate(): one member is enough."
        )
        raise StackError(msg)


def _unusable(name: str, option: str, error: Exception) -> StackError:
    # Drivers may add pages about the states of servers. The first sentence is enough.
    reason = (str(error) or "it does not answer").splitlines()[0].split(", Timeout:")[0]
    reason = ERRNO.sub(lambda found: os.strerror(int(found[1])), reason.split(" (configured timeouts")[0])
    return StackError(f"The {name} of {option} cannot be used: {reason}. Check that it runs, and the URL.")


def _too_old(name: str, option: str, version: str, oldest: int) -> StackError:
    return StackError(
        f"The {name} of {option} is version {version}; {oldest} or newer is needed. "
        f"Upgrade it, or leave {option} out to have one started for you."
    )
