"""The rows of projections, changed step by step as `tandem rebuild` does."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

from tandem.cqrs.user import KIND
from tandem.mongodb.client import collection_of
from tandem.mongodb.generations import Collections
from tandem.postgres.database import Database
from tandem.projections.row import ProjectionRow

DEADLINE = timedelta(seconds=10)


@asynccontextmanager
async def owners_row(system, kind: str = KIND, plural: str = "users") -> AsyncIterator[ProjectionRow]:
    """The row of a kind, as the owner has it."""
    database = await Database.connect(system.urls.postgres_owner_url, name="test", deadline=DEADLINE)
    try:
        yield ProjectionRow(database, kind, Collections(collection_of(system.mongodb, plural)))
    finally:
        await database.close()


async def follow(*instances) -> None:
    """Let these instances learn the rows, as their next renewals would, and tell it."""
    for instance in instances:
        await instance.background.renew_lease()
        await instance.background.renew_lease()


def all_of(system, name: str):
    """A collection of this test's database."""
    return system.mongodb.get_default_database()[name]


async def versions_in(system, name: str) -> dict[int, tuple[int, bool]]:
    """The version of each document of a collection, and whether it is a tombstone."""
    found = await all_of(system, name).find({}).to_list(None)
    return {each["_id"]: (each["version"], "deletedAt" in each) for each in found}
