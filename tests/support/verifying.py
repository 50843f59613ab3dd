"""Verifies a test's databases, and breaks them behind the service's back."""

from contextlib import asynccontextmanager
from datetime import timedelta

from tandem.app.adapters import adapters_of
from tandem.mongodb.client import open_client
from tandem.postgres.database import Database
from tandem.verification.repairs import RepairRows
from tandem.verification.verifier import Verifier
from waiting import until

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


async def ask_for_repairs(system, rows: RepairRows, aggregates=(), kind="user", gaps=()) -> None:
    """Have everything repaired that a verification finds."""

    async def found(differences) -> None:
        await rows.ask_for(differences, "the test")

    async with kinds_of(system, aggregates) as kinds:
        await Verifier(kinds[kind], found, gaps).verify()


async def until_repaired(rows: RepairRows) -> None:
    async def is_done() -> bool:
        return (await rows.open(["user", "order"]))[0] == 0

    await until(is_done, "no repair to be done")
