"""The file that lists all cells: where their databases are, and which of them has which idempotency keys.

It holds passwords, so others may not read it. Whoever changes it replaces it as a whole (writes another file
and renames that), and instances see that within a second: none is restarted when a cell is added.
"""

import logging
import zlib
from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta

from tandem.config.settings import SettingsError, read_private
from tandem.ids import CellNumber

logger = logging.getLogger(__name__)

#: All idempotency keys are divided into so many parts; each is one cell's. It cannot be changed any more.
SLOTS = 1024
_MOST_BYTES = 16 * 1024 * 1024


class Cell(msgspec.Struct, frozen=True):
    """One cell: a PostgreSQL, a MongoDB, and the instances that write to both."""

    number: CellNumber
    postgres_url: str
    mongodb_url: str
    #: Whether it takes no new users any more.
    draining: bool = False


class CellsFile(msgspec.Struct, frozen=True, dict=True):
    """All cells.

    `slots`: for each of the `SLOTS` parts of the keys, the cells that have had it; the last one has it now.
    """

    cells: list[Cell]
    slots: list[Annotated[list[CellNumber], Meta(min_length=1)]]
    #: Whether slots are just being moved: cells that had one take its keys as well, until the balancer knows.
    moving: bool = False

    @cached_property
    def by_number(self) -> Mapping[int, Cell]:
        """The cells by their numbers."""
        return {cell.number: cell for cell in self.cells}


class WatchedCells:
    """The file as it is now. One that cannot be used changes nothing: the last good one stays in use."""

    def __init__(self, path: Path, names_mongodb: Callable[[str], bool]) -> None:
        """Read it for the first time. `names_mongodb`: whether MongoDB's driver takes a URL.

        Raises:
            SettingsError: it cannot be used.
        """
        self._path = path
        self._names_mongodb = names_mongodb
        self._seen = self._stamp()
        self.latest = read_cells(path, names_mongodb)

    def look(self) -> bool:
        """Read the file again if it was replaced. Whether it says something new."""
        stamp, before = self._stamp(), self.latest
        if stamp == self._seen:
            return False
        self._seen = stamp
        try:
            self.latest = read_cells(self._path, self._names_mongodb)
        except SettingsError as error:
            logger.log(logging.ERROR, "%s What it said before stays in use.", error)
        return self.latest != before

    def _stamp(self) -> tuple[int, int, int] | None:
        """What is another one once the file was replaced or others may read it; None where there is none."""
        try:
            found = self._path.stat()
        except OSError:
            return None
        return found.st_ino, found.st_ctime_ns, found.st_size


def slot_of(key: str) -> int:
    """The part of all idempotency keys that this one is in, by its CRC-32. HAProxy computes the same."""
    return zlib.crc32(key.encode()) % SLOTS


def read_cells(path: Path, names_mongodb: Callable[[str], bool]) -> CellsFile:
    """What the file says.

    Raises:
        SettingsError: it cannot be read, others may read it, or it does not say what it has to.
    """
    content = read_private("CELLS_FILE", path, _MOST_BYTES)
    try:
        found = msgspec.json.decode(content, type=CellsFile)
    except msgspec.DecodeError as error:
        msg = f"CELLS_FILE: {path} cannot be used: {error}."
        raise SettingsError(msg) from None
    if why := _unusable(found, names_mongodb):
        msg = f"CELLS_FILE: {path} cannot be used: {why}."
        raise SettingsError(msg)
    return found


def _unusable(found: CellsFile, names_mongodb: Callable[[str], bool]) -> str:
    """What of it cannot be; empty: nothing."""
    if len(found.by_number) != len(found.cells):
        return "two cells have one number"
    if len(found.slots) != SLOTS:
        return f"`slots` has {len(found.slots)} entries instead of {SLOTS}"
    for cell in found.cells:
        if not _names_postgres(cell.postgres_url):
            return f"`postgres_url` of cell {cell.number} is no URL of a PostgreSQL"
        if not names_mongodb(cell.mongodb_url):
            return f"`mongodb_url` of cell {cell.number} is no URL of a MongoDB"
    unknown = {number for owners in found.slots for number in owners} - found.by_number.keys()
    return f"`slots` names cell {min(unknown)}, which is not among `cells`" if unknown else ""


def _names_postgres(url: str) -> bool:
    """Whether it names a PostgreSQL, or several hosts of one."""
    try:
        found = urlsplit(url)
        for host in found.netloc.rpartition("@")[2].split(","):
            _ = urlsplit(f"//{host}").port
    except ValueError:
        return False
    return found.scheme in ("postgresql", "postgres")
