"""`tandem events`: whether this program can read what earlier ones have written."""

import asyncio
import os
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click

from tandem.aggregates.installed import installed
from tandem.aggregates.log import log_of
from tandem.cli.events_tail import tail
from tandem.config import Settings, load_settings
from tandem.postgres.database import Database
from tandem.user_command.archive import (
    Candidate,
    archive,
    archives,
    archiving,
    candidates,
    erase,
)
from tandem.user_command.archive_files import ArchiveError
from tandem.user_command.archived_events import all_archived
from tandem.user_command.log_check import LOG_OF_USERS, Log, LogCheck, check_log, is_there

FOLDER = click.Path(file_okay=False, path_type=Path)
# So many of those that cannot be read are named.
MOST_NAMED = 20


@click.group
def events() -> None:
    """Look at the log of events."""


events.add_command(tail)


@events.command
@click.option("--archive", "folder", type=FOLDER, help="Where old events are; else EVENT_ARCHIVE_DIR.")
def check(folder: Path | None) -> None:
    """Read the whole log at POSTGRES_URL with this program, and name what it cannot read.

    What `tandem events archive` has moved into files is read there. The logs of installed aggregates are
    read as well. Run it before you deploy a program that reads events in another way. The exit code is 1 if
    it cannot read some.
    """
    logs = [LOG_OF_USERS, *map(log_of, installed())]
    found = asyncio.run(_check(load_settings(os.environ), logs, folder))
    for log, of_log in zip(logs, found, strict=True):
        _say(log, of_log)
    if any(of_log and of_log.unreadable for of_log in found):
        sys.exit(1)
    click.echo("This program reads all of them.")


@events.command("archive")
@click.option(
    "--to", "folder", type=FOLDER, required=True, help="Where the files go, and instances read them."
)
@click.option(
    "--older-than",
    "days",
    type=click.IntRange(min=0, max=36_500),
    default=90,
    show_default=True,
    help="Only partitions whose newest event is older than so many days.",
)
@click.option("--before", type=click.IntRange(min=1), help="Only users with ids below this one.")
@click.option("--plan", is_flag=True, help="Only show what would be moved.")
@click.option("--erase", "only_erase", is_flag=True, help="Move nothing: only take out who was erased since.")
def move(folder: Path, days: int, before: int | None, *, plan: bool, only_erase: bool) -> None:
    """Move old events of users into compressed files, as the owner of the database at POSTGRES_URL.

    Whole partitions of the log are moved, each into a file that is read back before anything is removed.
    All else goes on meanwhile. It may be killed at any moment and run again. Each run also takes out of the
    files what they have of users who were erased since. See Archive old events in docs/operations.md.
    """
    url, oldest = load_settings(os.environ).postgres_url, datetime.now(UTC) - timedelta(days=days)

    def is_wanted(one: Candidate) -> bool:
        return not only_erase and one.newest <= oldest and (before is None or one.end_id <= before)

    try:
        folder.mkdir(parents=True, exist_ok=True)
        asyncio.run(_move(url, folder, is_wanted, is_plan=plan))
    except OSError as error:
        raise ArchiveError(f"{folder} cannot be written: {error.strerror}.") from error


async def _move(url: str, folder: Path, is_wanted: Callable[[Candidate], bool], *, is_plan: bool) -> None:
    async with archiving(url) as connection:
        found = [one for one in await candidates(connection) if is_wanted(one)]
        for one in found:
            click.echo(_planned(one))
        if not found:
            click.echo("There is nothing to move.")
        if is_plan:
            return
        for one in found:
            if not one.obstacle:
                await archive(connection, one, folder, click.echo)
        await erase(connection, folder, click.echo)


def _planned(one: Candidate) -> str:
    size = f"about {one.events:,} events, {one.bytes / 2**20:,.0f} MB, the newest of {one.newest:%Y-%m-%d}"
    what = f"{one.name}: users {one.first_id:,} to {one.end_id - 1:,}, {size}"
    return f"{what}. It stays: {one.obstacle}." if one.obstacle else f"{what}."


async def _check_own(database: Database, log: Log) -> LogCheck | None:
    return await check_log(database, log) if await is_there(database, log) else None


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


async def _check(settings: Settings, logs: Sequence[Log], folder: Path | None) -> list[LogCheck | None]:
    """What was found in each log; None where an aggregate has none yet."""
    if folder is None and settings.event_archive_dir:
        folder = Path(settings.event_archive_dir)
    deadline = timedelta(seconds=settings.database_timeout_seconds)
    database = await Database.connect(
        settings.postgres_url, name="events check", deadline=deadline, connections=1
    )
    try:
        of_users = await check_log(database, archived=all_archived(folder, await archives(database)))
        return [of_users, *[await _check_own(database, log) for log in logs[1:]]]
    finally:
        await database.close()
