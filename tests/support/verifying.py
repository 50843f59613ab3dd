"""Verifies a test's databases, and breaks them behind the service's back."""

from contextlib import asynccontextmanager
from datetime import timedelta

from tandem.app.adapters import adapters_of
from tandem.mongodb.client import open_client
from tandem.postgres.database import Database
from tandem.verification.verifier import Verifier

DEADLINE = timedelta(seconds=10)


@asynccontextmanager
async def kinds_of(system, aggregates=()):
    """What is verified, over connections of its own with the rights of the service, by kind."""
    settings = system.settings("verify")
    client = open_client(settings.mongodb_url, name="verify", deadline=DEADLINE)
    database = await Database.connect(settings.postgres_url, name="verify", deadline=DEADLINE, connections=3)
    try:
        yield adapters_of(settings, database, client, aggregates).verified
    finally:
        await database.close()
        await client.close()


async def verified(system, aggregates=(), kind="user", seed=None, gaps=()):
    """The tally of one kind, and all differences by id."""
    found = {}

    async def keep(differences):
        found.update({each.id: each for each in differences})

    async with kinds_of(system, aggregates) as kinds:
        tally = await Verifier(kinds[kind], keep, gaps, seed).verify()
    return tally, found


async def state_of(system, kind="user"):
    """What the scrubbers have found of a kind, or None."""
    sums = ", ".join(
        f"sum({name}) as {name}" for name in ("checked", "equal", "missing", "surplus", "stale", "differing")
    )
    return await system.postgres.fetchrow(
        f"select {sums}, bool_and(verified_at is not null) as is_whole "
        "from tandem_verified where kind = $1 having count(*) > 0",
        kind,
    )
