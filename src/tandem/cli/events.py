"""`tandem events`: whether this program can read what earlier ones have written."""

import asyncio
import os
import sys
from collections import Counter
from datetime import timedelta

import click

from tandem.config import Settings, load_settings
from tandem.postgres.database import Database
from tandem.user_command.log_check import LogCheck, check_log

# So many of the users that cannot be read are named.
MOST_NAMED = 20


@click.group
def events() -> None:
    """Look at the log of events."""


@events.command
def check() -> None:
    """Read the whole log at POSTGRES_URL with this program, and name what it cannot read.

    Run it before you deploy a program that reads events in another way. The exit code is 1 if it cannot read
    some.
    """
    found = asyncio.run(_check(load_settings(os.environ)))
    kinds = ", ".join(f"{count:,} {kind}" for kind, count in sorted(_kinds(found).items())) or "none"
    click.echo(f"Events of {found.users:,} users: {kinds}.")
    for trouble in found.unreadable[:MOST_NAMED]:
        click.echo(f"User {trouble.user_id}, {trouble.why}", err=True)
    if found.unreadable:
        click.echo(f"{len(found.unreadable):,} users cannot be read by this program.", err=True)
        sys.exit(1)
    click.echo("This program reads all of them.")


def _kinds(found: LogCheck) -> Counter[str]:
    return Counter({f"{kind} (format {number})": count for (kind, number), count in found.kinds.items()})


async def _check(settings: Settings) -> LogCheck:
    deadline = timedelta(seconds=settings.database_timeout_seconds)
    database = await Database.connect(settings.postgres_url, name="events check", deadline=deadline)
    try:
        return await check_log(database)
    finally:
        await database.close()
