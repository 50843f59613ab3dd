"""The floor of today: the service's own statements in batches of 500, from one process, without HTTP.

A service that writes these rows and documents cannot be faster than this, except by noise. So the service's
rate is given as a share of the floor, measured in the same run on the same servers:

    POSTGRES_URL=... MONGODB_URL=... python -m tandem_lab.baselines.floor --users 50000

The databases must be migrated. `frozen_floor/` has the statements of an early version, and the loop of both.
"""

import os
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta

import msgspec

from tandem.cqrs import CreateUserCommand, SynchronizeUserCommand
from tandem.delivery.lease import Lease
from tandem.mongodb.client import open_client
from tandem.mongodb.generations import Collections
from tandem.postgres.database import Database
from tandem.random_users import random_users
from tandem.user import UserInput, normalize
from tandem.user_command.repository import UserCommandRepository
from tandem.user_query.database import users_of
from tandem.user_query.document import document_of
from tandem.user_query.repository import UserQueryRepository
from tandem_lab.baselines.frozen_floor.lanes import Bring, main

APP_ID = "floor"
DEADLINE = timedelta(seconds=30)


def commands_of(seed: str, first: int, count: int) -> list[CreateUserCommand]:
    """Commands for different users of a run, from number `first` on."""
    wire = random_users(seed, first, count)
    profiles = (normalize(msgspec.convert(msgspec.to_builtins(user), UserInput)) for user in wire)
    return [CreateUserCommand(seed, profile) for profile in profiles]


def make_users(count: int) -> list[CreateUserCommand]:
    """Commands for different users of a run of their own."""
    return commands_of(f"floor-{time.time_ns()}", 0, count)


@asynccontextmanager
async def opened(_: Sequence[CreateUserCommand]) -> AsyncIterator[Bring[CreateUserCommand]]:
    """Connect, and give the function that brings a batch through both databases."""
    database = await Database.connect(os.environ["POSTGRES_URL"], name=APP_ID, deadline=DEADLINE)
    client = open_client(os.environ["MONGODB_URL"], name=APP_ID, deadline=DEADLINE)
    commands = UserCommandRepository(database, APP_ID)
    queries = UserQueryRepository(Collections(users_of(client)))
    lease = Lease(database, APP_ID, timedelta(minutes=10))
    await lease.begin()

    async def bring(batch: Sequence[CreateUserCommand]) -> None:
        stored = await commands.create(batch, lease.incarnation)
        refused = await queries.write([document_of(user) for user in stored])
        assert not refused
        await commands.synchronize(
            [SynchronizeUserCommand(user.id, user.version, user.seed) for user in stored]
        )

    yield bring
    await lease.end()
    await database.close()
    await client.close()


if __name__ == "__main__":
    main(__doc__, make_users, opened)
