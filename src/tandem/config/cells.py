"""The file that lists all cells: where their databases are, and which of them has which idempotency keys.

It holds passwords, so others may not read it. Whoever changes it replaces it as a whole (writes another file
and renames that), and instances see that within a second: none is restarted when a cell is added.
"""

import zlib
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

from tandem.config.settings import SettingsError, read_private
from tandem.ids import HIGHEST_CELL

#: All idempotency keys are divided into so many parts; each is one cell's. It cannot be changed any more.
SLOTS = 1024
_MOST_BYTES = 16 * 1024 * 1024

Number = Annotated[int, Meta(ge=0, le=HIGHEST_CELL)]


class Cell(msgspec.Struct, frozen=True):
    """One cell: a PostgreSQL, a MongoDB, and the instances that write to both."""

    number: Number
    postgres_url: str
    mongodb_url: str
    #: Whether it takes no new users any more.
    draining: bool = False


class CellsFile(msgspec.Struct, frozen=True, dict=True):
    """All cells.

    `slots`: for each of the `SLOTS` parts of the keys, the cells that have had it; the last one has it now.
    """

    cells: list[Cell]
    slots: list[Annotated[list[Number], Meta(min_length=1)]]

    @cached_property
    def by_number(self) -> Mapping[int, Cell]:
        """The cells by their numbers."""
        return {cell.number: cell for cell in self.cells}


def slot_of(key: str) -> int:
    """The part of all idempotency keys that this one is in, by its CRC-32. HAProxy computes the same."""
    return zlib.crc32(key.encode()) % SLOTS


def read_cells(path: Path) -> CellsFile:
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
    if why := _unusable(found):
        msg = f"CELLS_FILE: {path} cannot be used: {why}."
        raise SettingsError(msg)
    return found


def _unusable(found: CellsFile) -> str:
    """What of it cannot be; empty: nothing."""
    if len(found.by_number) != len(found.cells):
        return "two cells have one number"
    if len(found.slots) != SLOTS:
        return f"`slots` has {len(found.slots)} entries instead of {SLOTS}"
    unknown = {number for owners in found.slots for number in owners} - found.by_number.keys()
    return f"`slots` names cell {min(unknown)}, which is not among `cells`" if unknown else ""
