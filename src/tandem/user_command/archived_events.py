"""Finds the events of users that were moved into files (`tandem events archive`)."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from heapq import merge
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Protocol, TypeVar

from tandem.errors import TandemError
from tandem.postgres.database import Database
from tandem.user_command.archive import QUERIES, Archive
from tandem.user_command.archive_files import INDEX, UNREADABLE, ArchivedEvent, events_of, read_archive
from tandem.user_command.event_log import StoredEvent

# Each unpacks the events of a thousand users.
FILES_AT_A_TIME = 2


class ArchiveAway(TandemError):
    """Events of a user are in a file that this program cannot read; says which, and what to do."""


class Versioned(Protocol):
    """An event as it is shown or folded."""

    @property
    def version(self) -> int:
        """The version that it is about."""

    @property
    def event_type(self) -> str:
        """Its name."""


E = TypeVar("E", bound=Versioned)


class ArchivedEvents:
    """Reads files in the folder of the setting EVENT_ARCHIVE_DIR, if there is one."""

    def __init__(self, database: Database, folder: str = "") -> None:
        self._database = database
        self._folder = Path(folder) if folder else None
        self._turns = asyncio.Semaphore(FILES_AT_A_TIME)

    async def complete(
        self, user_id: int, events: Sequence[E], of: Callable[[ArchivedEvent], E]
    ) -> Sequence[E]:
        """All events of a user, in order of versions, where some may be missing since they are in files.

        `events` are those that the table has: files are read only where the first of all is not among them.

        Raises:
            ArchiveAway: a file cannot be read here.
            Unavailable: PostgreSQL does not answer.
        """
        if any(event.event_type == "CREATED" for event in events):
            return events
        once: dict[tuple[int, str], E] = {}
        # A repair may have had a version acknowledged again.
        for event in [*map(of, await self.find(user_id)), *events]:
            once.setdefault((event.version, event.event_type), event)
        return sorted(once.values(), key=lambda event: event.version)

    async def find(self, user_id: int) -> list[ArchivedEvent]:
        """Those of a user's events that are in files, in order; none where nothing of such users was moved.

        Raises:
            ArchiveAway: a file cannot be read here.
            Unavailable: PostgreSQL does not answer.
        """
        try:
            return await self._read(user_id)
        except FileNotFoundError:
            # Perhaps it was just written again without somebody who was erased: then it has another name now.
            try:
                return await self._read(user_id)
            except OSError as error:
                raise _away(Path(error.filename or "").name, error) from error

    async def _read(self, user_id: int) -> list[ArchivedEvent]:
        found: list[ArchivedEvent] = []
        for row in await self._database.fetch(QUERIES["archives_of"], user_id):
            name = row["file_name"]
            if self._folder is None:
                raise ArchiveAway(
                    f"Events of these users were moved into the file {name}, and EVENT_ARCHIVE_DIR is not "
                    "set here: set it to the folder that has the file."
                )
            path = self._folder / name
            async with self._turns:
                try:
                    found += await asyncio.to_thread(events_of, path, user_id)
                except FileNotFoundError:
                    raise
                except UNREADABLE as error:
                    raise _away(name, error) from error
        return found


def all_archived(folder: Path | None, archives: Sequence[Archive]) -> Iterator[tuple[int, StoredEvent]]:
    """All events that are in files, each with its user's id, in order of users; the oldest of a user first.

    Raises:
        ArchiveAway: a file cannot be read.
    """
    for _, of_range in groupby(archives, key=lambda one: one.first_id):
        files = [_all_of(folder, one.file_name) for one in of_range]
        yield from merge(*files, key=itemgetter(0))


def _all_of(folder: Path | None, name: str) -> Iterator[tuple[int, StoredEvent]]:
    if folder is None:
        msg = f"Events were moved into the file {name}: name the folder that has it by --archive DIR."
        raise ArchiveAway(msg)
    try:
        for event in read_archive(folder / name):
            yield event.user_id, event.stored()
    except UNREADABLE as error:
        raise _away(name, error) from error


def _away(name: str, error: Exception) -> ArchiveAway:
    name = name.removesuffix(INDEX)
    return ArchiveAway(
        f"Events of these users were moved into the file {name}, which cannot be read here "
        f"({type(error).__name__}): the folder of EVENT_ARCHIVE_DIR has to have it and its index, whole."
    )
