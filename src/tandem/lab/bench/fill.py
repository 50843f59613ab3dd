"""Filling the tables before a measurement: users go the service's own way, in this process, without HTTP."""

import asyncio
import time
from collections.abc import Iterator

import asyncpg
import msgspec

from tandem.app import run_instance
from tandem.config import Settings
from tandem.cqrs import CreateUserCommand
from tandem.lab.bench.tidy import tidy_up
from tandem.local_stack.status import Status
from tandem.random_users import random_users
from tandem.user import UserInput, normalize

APP_ID = "lab-fill"
IN_FLIGHT = 2_000
#: About how many a second there are, to tell how long it will take.
USERS_A_SECOND = 10_000


async def users_in(running: Status) -> int:
    """How many users have been created, from the exact counters."""
    connection = await asyncpg.connect(running.postgres.url, timeout=10)
    try:
        return int(await connection.fetchval("SELECT coalesce(sum(total), 0) FROM prm_user_count"))
    finally:
        await connection.close()


async def fill(running: Status, users: int) -> None:
    """Create this many different users, wait until all are synchronized, and tidy the tables up.

    Raises:
        Unavailable, UnsuitableServer: a server of the stack does not answer, or cannot be used.
    """
    settings = Settings(
        postgres_url=str(running.postgres.url),
        mongodb_url=str(running.mongodb.url),
        app_id=APP_ID,
        # What is in flight is bounded below; nothing is to be left for recovery.
        max_in_projection=1_000_000,
    )
    commands = _commands(users)
    async with run_instance(settings) as instance:

        async def lane() -> None:
            for command in commands:
                await instance.commands.execute(command)

        await asyncio.gather(*(lane() for _ in range(IN_FLIGHT)))
    await tidy_up(running)


def _commands(users: int) -> Iterator[CreateUserCommand]:
    seed = f"lab-fill-{time.time_ns()}"
    for user in random_users(seed, 0, users):
        yield CreateUserCommand(seed, normalize(msgspec.convert(msgspec.to_builtins(user), UserInput)))
