"""Moves whole old partitions of the log into compressed files, while everything goes on.

Whoever kills it at any moment loses nothing: events leave the table in the transaction that remembers their
file. By then the file is on the disk, has been read back, and holds exactly what the table had. Events that
come meanwhile stay.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path

import asyncpg
import msgspec

from tandem.postgres.database import Database
from tandem.postgres.hosts import open_session
from tandem.postgres.queries import load_queries
from tandem.user_command.archive_files import (
    PART,
    ArchiveError,
    ArchiveWriter,
    Index,
    events_of,
    index_path,
    lines_of,
    sums_of_part,
    told,
    without_data,
)
from tandem.user_command.migrate import explained

QUERIES = load_queries(__package__ or "", "archive.sql")
# Users are pending for milliseconds: some moment has none. A lock is waited for briefly: others wait behind.
_TRIES = 100
_PAUSE_SECONDS = 0.2
_LOCK_MILLISECONDS = 300
_AT_A_TIME = 2_000

Report = Callable[[str], None]


class Candidate(msgspec.Struct, frozen=True):
    """A partition that is old, and how much it has."""

    name: str
    first_id: int
    end_id: int
    #: As the planner knows it.
    events: int
    bytes: int
    newest: datetime
    #: Why it stays where it is, in a clause; empty: it can be moved.
    obstacle: str


class Archive(msgspec.Struct, frozen=True):
    """A row of `tandem_event_archive`."""

    number: int
    first_id: int
    end_id: int
    file_name: str
    events: int
    checksum: int


@asynccontextmanager
async def archiving(url: str) -> AsyncIterator[asyncpg.Connection]:
    """A session that may move events; no other does meanwhile.

    Raises:
        ArchiveError: another one does.
        UnsuitableServer: the server cannot be reached, or this role is not the owner.
    """
    settings = {"application_name": "tandem events archive", "timezone": "UTC"}
    with explained(url, "archive"):
        connection = await open_session(url, 10, server_settings=settings)
        try:
            if not await connection.fetchval(QUERIES["lock_archives"].sql):
                raise ArchiveError("Another `tandem events archive` is at work. Wait until it has ended.")
            yield connection
        finally:
            await connection.close()


async def candidates(connection: asyncpg.Connection) -> list[Candidate]:
    """Partitions of which all ids are given, and that have events."""
    rows = await connection.fetch(QUERIES["candidates"].sql)
    return [Candidate(**dict(row)) for row in rows]


async def archives(database: Database) -> list[Archive]:
    """All that was moved so far, in order of ids.

    Raises:
        Unavailable: PostgreSQL does not answer.
    """
    return _archives(await database.fetch(QUERIES["archives"]))


def _archives(rows: Iterable[asyncpg.Record]) -> list[Archive]:
    return [Archive(**{**row, "checksum": int(row["checksum"])}) for row in rows]


async def archive(connection: asyncpg.Connection, one: Candidate, folder: Path, report: Report) -> Path:
    """Move a partition's events into a file in `folder`; the file.

    Raises:
        ArchiveError: its users are never all in MongoDB, the file cannot be written, or no lock is had.
    """
    number = await connection.fetchval(QUERIES["next_number"].sql)
    path = folder / f"{one.name}-{number}.jsonl.gz"
    snapshot, sums = await _write(connection, one, path)
    report(f"{one.name}: {sums['events']:,} events of {sums['users']:,} users are in {path}.")
    columns = (sums["users"], sums["events"], sums["checksum"], sums["highest_id"], sums["highest_xid"])
    for _ in range(_TRIES):
        try:
            async with connection.transaction():
                await connection.execute(f"SET LOCAL lock_timeout = {_LOCK_MILLISECONDS}")
                kept = await connection.fetchval(QUERIES["empty_partition"].sql, one.name, snapshot)
                await connection.execute(
                    QUERIES["add_archive"].sql, one.first_id, one.end_id, path.name, *columns
                )
        except (asyncpg.LockNotAvailableError, asyncpg.DeadlockDetectedError):
            await asyncio.sleep(_PAUSE_SECONDS)
            continue
        report(f"{one.name}: its place in the table is free; {kept:,} events that came meanwhile stay.")
        return path
    why = "somebody reads or writes it all the time, such as a `pg_dump`"
    raise ArchiveError(f"{one.name} stays as it is: {why}. Try again later.")


async def _write(connection: asyncpg.Connection, one: Candidate, path: Path) -> tuple[str, asyncpg.Record]:
    """Write the file of what there is at a moment without pending users: that moment, and the sums of all."""
    ids = (one.first_id, one.end_id)
    for _ in range(_TRIES):
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            (seen,) = await connection.fetch(QUERIES["snapshot"].sql, *ids)
            if not seen["is_pending"]:
                with ArchiveWriter(path) as writer:
                    rows = connection.cursor(QUERIES["lines"].sql, *ids, prefetch=_AT_A_TIME)
                    async for user_id, line in rows:
                        writer.add(user_id, line.encode())
                    writer.finish()
                    (sums,) = await connection.fetch(QUERIES["sums"].sql, *ids)
                    _require(path, (sums["events"], int(sums["checksum"])))
                    writer.publish()
                return seen["snapshot"], sums
        await asyncio.sleep(_PAUSE_SECONDS)
    raise ArchiveError(f"{one.name} stays as it is: some of its users are always on their way to MongoDB.")


def _require(path: Path, expected: tuple[int, int]) -> None:
    with told(path):
        found = sums_of_part(path)
    if found != expected:
        why = f"so nothing was removed. Look at the disk of {path.parent}"
        raise ArchiveError(f"{path.name} does not hold what the table has, {why}.")


async def erase(connection: asyncpg.Connection, folder: Path, report: Report) -> int:
    """Take erased users' data out of all files, and remove what was left by runs that were killed.

    Answers how many files were written again.

    Raises:
        ArchiveError: a file is missing, or not what was written.
    """
    count = 0
    for one in _archives(await connection.fetch(QUERIES["archives"].sql)):
        _require_there(folder, one)
        _remove_leftovers(folder, one)
        rows = await connection.fetch(QUERIES["erased"].sql, one.first_id, one.end_id)
        if erased := _still_told_of(folder / one.file_name, frozenset(row["id"] for row in rows)):
            report(f"{one.file_name}: takes out the data of {len(erased):,} erased users.")
            await _write_again(connection, folder, one, erased)
            count += 1
    return count


def _require_there(folder: Path, one: Archive) -> None:
    for path in (folder / one.file_name, index_path(folder / one.file_name)):
        if not path.is_file():
            raise ArchiveError(
                f"{path} is missing: name the folder that has it, or take it from your backup."
            )


def _still_told_of(path: Path, erased: frozenset[int]) -> frozenset[int]:
    """Those of the erased users whose events in the file still have data."""
    with told(path):
        return frozenset(id_ for id_ in erased if any(event.tells for event in events_of(path, id_)))


async def _write_again(
    connection: asyncpg.Connection, folder: Path, one: Archive, erased: frozenset[int]
) -> None:
    path = folder / _next_name(one.file_name)
    with told(folder / one.file_name), ArchiveWriter(path) as writer:
        for user_id, line in without_data(lines_of(folder / one.file_name), erased):
            writer.add(user_id, line)
        written: Index = writer.finish()
        _require(path, (one.events, written.checksum))
        writer.publish()
    await connection.execute(QUERIES["replace_archive"].sql, one.number, path.name, written.checksum)
    _remove_leftovers(folder, msgspec.structs.replace(one, file_name=path.name))


def _next_name(name: str) -> str:
    """`p0-1.jsonl.gz`, `p0-1.2.jsonl.gz`, `p0-1.3.jsonl.gz`: a name always stands for the same bytes."""
    stem, generation = _parts(name)
    return f"{stem}.{generation + 1}.jsonl.gz"


def _parts(name: str) -> tuple[str, int]:
    found = re.fullmatch(r"(\w+-\d+)(?:\.(\d+))?\.jsonl\.gz", name)
    if found is None:
        raise ArchiveError(f"{name} is no name that `tandem events archive` gives.")
    return found[1], int(found[2] or 1)


def _remove_leftovers(folder: Path, one: Archive) -> None:
    """Remove earlier files of the same events, and those that were never finished."""
    stem, _ = _parts(one.file_name)
    current = {folder / one.file_name, index_path(folder / one.file_name)}
    for path in [*folder.glob(f"{stem}.*"), *folder.glob(f"*{PART}")]:
        if path not in current:
            path.unlink(missing_ok=True)
