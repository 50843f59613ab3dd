"""`tandem events`: whether this program can read what earlier ones have written."""

import asyncio
import os
import sys
from collections import Counter
from collections.abc import Sequence
from datetime import timedelta

import click

from tandem.aggregates.installed import installed
from tandem.aggregates.log import log_of
from tandem.cli.events_tail import tail
from tandem.config import Settings, load_settings
from tandem.postgres.database import Database
from tandem.user_command.log_check import LOG_OF_USERS, Log, LogCheck, check_log, is_there

# So many of those that cannot be read are named.
MOST_NAMED = 20


@click.group
def events() -> None:
    """Look at the log of events."""


events.add_command(tail)


@events.command
def check() -> None:
    """Read the whole log at POSTGRES_URL with this program, and name what it cannot read.

    The logs of installed aggregates are read as well. Run it before you deploy a program that reads events in
    another way. The exit code is 1 if it cannot read some.
    """
    logs = [LOG_OF_USERS, *map(log_of, installed())]
    found = asyncio.run(_check(load_settings(os.environ), logs))
    for log, of_log in zip(logs, found, strict=True):
        _say(log, of_log)
    if any(of_log and of_log.unreadable for of_log in found):
        sys.exit(1)
    click.echo("This program reads all of them.")


def _say(log: Log, found: LogCheck | None) -> None:
    if found is None:
        click.echo(f"There is no log of {log.many} yet: `tandem migrate` makes it.")
        return
    kinds = ", ".join(f"{count:,} {kind}" for kind, count in sorted(_kinds(found).items())) or "none"
    click.echo(f"Events of {found.count:,} {log.many}: {kinds}.")
    for trouble in found.unreadable[:MOST_NAMED]:
        click.echo(f"{log.one.capitalize()} {trouble.id}, {trouble.why}", err=True)
    if found.unreadable:
        click.echo(f"{len(found.unreadable):,} {log.many} cannot be read by this program.", err=True)


def _kinds(found: LogCheck) -> Counter[str]:
    return Counter({f"{kind} (format {number})": count for (kind, number), count in found.kinds.items()})


async def _check(settings: Settings, logs: Sequence[Log]) -> list[LogCheck | None]:
    """What was found in each log; None where an aggregate has none yet."""
    deadline = timedelta(seconds=settings.database_timeout_seconds)
    database = await Database.connect(
        settings.postgres_url, name="events check", deadline=deadline, connections=1
    )
    try:
        return [
            await check_log(database, log) if log is LOG_OF_USERS or await is_there(database, log) else None
            for log in logs
        ]
    finally:
        await database.close()
