"""`tandem migrate`: bring both databases to this program's version."""

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import timedelta
from typing import TypeVar

import click
import msgspec
from pymongo import IndexModel

from tandem.aggregates.documents import indexes_of
from tandem.aggregates.installed import installed
from tandem.aggregates.migrate import migrations
from tandem.cli.interruption import INTERRUPTED, interruptible
from tandem.config import Settings, load_settings
from tandem.cqrs.user import KIND
from tandem.kernel import Backoff, UnsuitableServer
from tandem.mongodb import client as mongodb
from tandem.postgres.database import Database
from tandem.projections.followed import names_of
from tandem.user_command import migrate as postgres
from tandem.user_command.cell import become_cell
from tandem.user_command.schema import this_schema
from tandem.user_query.database import COLLECTION
from tandem.user_query.indexes import INDEXES

T = TypeVar("T")

BETWEEN_TRIES = Backoff(first=timedelta(seconds=1), longest=timedelta(seconds=5))
LONGEST_WAIT = 86_400.0


@click.command()
@click.option(
    "--wait",
    type=click.FloatRange(0, LONGEST_WAIT),
    default=60,
    show_default=True,
    metavar="SECONDS",
    help="How long each database may be out of reach, for example while it starts.",
)
@click.option(
    "--lock-wait",
    type=click.FloatRange(0, LONGEST_WAIT),
    default=300,
    show_default=True,
    metavar="SECONDS",
    help="How long each migration waits for readers and other migrations, without holding them up.",
)
def migrate(wait: float, lock_wait: float) -> None:
    """Bring the databases at POSTGRES_URL and MONGODB_URL to this program's version, as their owner.

    Running it again, or twice at a time, is harmless. Instances of the version before go on. With CELL, ids
    name that cell from now on.
    """
    patience = postgres.Patience(in_all=timedelta(seconds=lock_wait))
    settings = load_settings(os.environ)
    try:
        applied = asyncio.run(interruptible(_migrate(settings, timedelta(seconds=wait), patience)))
    except (KeyboardInterrupt, asyncio.CancelledError):
        click.echo("Interrupted. Run it again: what was applied stays, and nothing is half done.", err=True)
        sys.exit(INTERRUPTED)
    click.echo(f"Applied: {', '.join(applied)}." if applied else "Both databases are up to date.")


async def _migrate(settings: Settings, wait: timedelta, patience: postgres.Patience) -> list[str]:
    deadline = timedelta(seconds=settings.database_timeout_seconds)

    async def then(steps: postgres.Steps) -> list[str]:
        of_cell = await become_cell(steps, settings.cell) if settings.cell >= 0 else []
        return of_cell + await migrations(installed())(steps)

    def to_postgres() -> Awaitable[list[str]]:
        schema = msgspec.structs.replace(this_schema(), then=then)
        return postgres.migrate(
            settings.postgres_url, deadline, patience=patience, report=_report, schema=schema
        )

    applied = await _once_usable(to_postgres, postgres.may_pass, wait)
    client = mongodb.open_client(settings.mongodb_url, name="migrate", deadline=deadline)
    try:
        wanted = await _indexes(settings, deadline)
        await _once_usable(
            lambda: mongodb.create_indexes(client, settings.mongodb_url, wanted), mongodb.may_pass, wait
        )
    finally:
        await client.close()
    return applied


async def _indexes(settings: Settings, deadline: timedelta) -> Mapping[str, Sequence[IndexModel]]:
    """The indexes of each collection that documents are in."""
    indexes = {KIND: INDEXES} | {each.name: indexes_of(each) for each in installed()}
    plurals = {KIND: COLLECTION} | {each.name: each.plural for each in installed()}
    database = await Database.connect(settings.postgres_url, name="migrate", deadline=deadline, connections=1)
    try:
        names = await names_of(database, plurals)
    finally:
        await database.close()
    return {name: indexes[kind] for kind, all_of_kind in names.items() for name in all_of_kind}


async def _once_usable(
    do: Callable[[], Awaitable[T]], may_pass: Callable[[UnsuitableServer], bool], wait: timedelta
) -> T:
    """Do it, and try again as long as the server cannot be used yet.

    Raises:
        UnsuitableServer: the server cannot be used, and waiting would not help or has lasted long enough.
    """
    clock = asyncio.get_running_loop().time
    give_up = clock() + wait.total_seconds()
    tries = 0
    while True:
        try:
            return await do()
        except UnsuitableServer as error:
            tries += 1
            left = give_up - clock()
            if left <= 0 or not may_pass(error):
                raise
            _report(f"{error} Trying again for another {left:.0f} s.")
            await asyncio.sleep(min(left, BETWEEN_TRIES.seconds(tries)))


def _report(text: str) -> None:
    """Progress goes to stderr, so that stdout has only the result."""
    click.echo(text, err=True)
