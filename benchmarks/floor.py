"""The floor: the service's own statements in batches of 500, from one process, without HTTP.

No service that writes these rows and documents can be faster than this by more than noise, so the service's
rate is quoted as a share of it, measured in the same run on the same servers:

    POSTGRES_URL=... MONGODB_URL=... python benchmarks/floor.py --users 50000

The databases must be migrated. Prints users per second from the first CREATED to the last SYNCRONIZED event.
"""

import argparse
import asyncio
import os
import time
from collections.abc import Iterator
from datetime import timedelta

import msgspec
import uvloop

from tandem.cqrs import CreateUserCommand, SynchronizeUserCommand
from tandem.random_users import random_users
from tandem.user import UserInput, normalize
from tandem.user_command.database import Database
from tandem.user_command.lease import Lease
from tandem.user_command.repository import UserCommandRepository
from tandem.user_query.database import open_client, users_of
from tandem.user_query.document import document_of
from tandem.user_query.repository import UserQueryRepository

BATCH = 500
APP_ID = "floor"
DEADLINE = timedelta(seconds=30)


def batches(users: int, seed: str) -> Iterator[list[CreateUserCommand]]:
    """Commands for `users` different users, 500 a batch; made before the clock starts."""
    for first in range(0, users, BATCH):
        wire = random_users(seed, first, min(BATCH, users - first))
        profiles = [normalize(msgspec.convert(msgspec.to_builtins(user), UserInput)) for user in wire]
        yield [CreateUserCommand(seed, profile) for profile in profiles]


async def measure(users: int, lanes: int, seed: str) -> float:
    """Users per second through create, write and synchronize, with `lanes` batches under way at a time."""
    database = await Database.connect(os.environ["POSTGRES_URL"], name=APP_ID, deadline=DEADLINE)
    client = open_client(os.environ["MONGODB_URL"], name=APP_ID, deadline=DEADLINE)
    commands = UserCommandRepository(database, APP_ID)
    queries = UserQueryRepository(users_of(client))
    lease = Lease(database, APP_ID, timedelta(minutes=10))
    await lease.begin()
    waiting = list(batches(users, seed))

    async def lane() -> None:
        while waiting:
            stored = await commands.create(waiting.pop(), lease.incarnation)
            refused = await queries.write([document_of(user, APP_ID) for user in stored])
            assert not refused
            await commands.synchronize([SynchronizeUserCommand(user.id, user.version) for user in stored])

    started = time.perf_counter()
    await asyncio.gather(*(lane() for _ in range(lanes)))
    seconds = time.perf_counter() - started
    await lease.end()
    await database.close()
    await client.close()
    return users / seconds


def main() -> None:
    """Measure once for each number of lanes and print a line each."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--users", type=int, default=30_000)
    parser.add_argument("--lanes", type=int, nargs="+", default=[1, 2, 3, 4])
    arguments = parser.parse_args()
    for lanes in arguments.lanes:
        rate = uvloop.run(measure(arguments.users, lanes, f"floor-{time.time_ns()}"))
        print(f"{lanes} lanes: {rate:,.0f} users/s")


if __name__ == "__main__":
    main()
