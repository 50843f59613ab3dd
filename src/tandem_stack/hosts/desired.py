"""Which cells there are to be: `cells.json` in the data folder. The stack makes it so.

Whoever changes it, `tandem cells` for one, replaces the file with `write_desired`, and then asks the running
stack for it (`control.ask(data_dir, "reconcile")`): the answer comes when all is done, or says what failed.
The stack does this, in this order:

1. It starts the databases of cells that are new, and migrates them.
2. It writes `CELLS_FILE` with the new cells, and waits until every instance has seen it. Slots are as before.
3. It starts the instances of cells that are new.
4. If slots are to move, it writes `CELLS_FILE` with them, as `moving`: both owners take their keys now.
5. It writes HAProxy's configuration, lets HAProxy read it without losing a request, and waits until no
   connection goes by the one from before.
6. It writes `CELLS_FILE` without `moving`, and with the cells that take no new users any more.

So a cell and its slots may be written at once. A stack that is not running makes it so at its next start. A
cell stays in the file for good, since it has users.
"""

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from tandem_stack.data_folder import write_private
from tandem_stack.errors import StackError

FILE = "cells.json"
#: As many as the service has (`tandem.config.cells`), whose keys are divided among the cells.
SLOTS = 1024
#: A cell's number is a byte of its hosts' addresses.
HIGHEST_CELL = 254
MOST_INSTANCE_HOSTS = 64

Number = Annotated[int, Meta(ge=0, le=HIGHEST_CELL)]


class DesiredCell(msgspec.Struct, frozen=True, kw_only=True):
    """A cell as it is to be. Only `draining` may change later: whether it takes no new users any more."""

    number: Number
    database_hosts: Literal[1, 3]
    instance_hosts: Annotated[int, Meta(ge=1, le=MOST_INSTANCE_HOSTS)]
    draining: bool = False


class Desired(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """All cells.

    `slots`: for each of the `SLOTS` parts of the keys, the cells that have had it; the last one has it now.
    `cpu_per_cell`: how many cores the hosts of a cell may use together; None: all.
    `synchronous`: whether PostgreSQL's commits wait for a standby, where a cell has three hosts.
    """

    cells: tuple[DesiredCell, ...]
    slots: tuple[tuple[Number, ...], ...]
    cpu_per_cell: float | None = None
    synchronous: bool = True

    @cached_property
    def by_number(self) -> Mapping[int, DesiredCell]:
        """The cells by their numbers."""
        return {cell.number: cell for cell in self.cells}


def new_cells(cells: int, database_hosts: Literal[1, 3], instance_hosts: int) -> Desired:
    """As many new cells, numbered from 0, which share the slots evenly."""
    return Desired(
        cells=tuple(
            DesiredCell(number=number, database_hosts=database_hosts, instance_hosts=instance_hosts)
            for number in range(cells)
        ),
        slots=tuple((slot % cells,) for slot in range(SLOTS)),
    )


def read_desired(data_dir: Path) -> Desired | None:
    """The cells of this data folder; None if it has none yet.

    Raises:
        StackError: the file does not say what it has to.
    """
    file = data_dir / FILE
    try:
        return msgspec.json.decode(file.read_bytes(), type=Desired)
    except FileNotFoundError:
        return None
    except msgspec.DecodeError as error:
        msg = f"{file} cannot be used: {error}. Put a copy of it back."
        raise StackError(msg) from None


def write_desired(data_dir: Path, desired: Desired) -> None:
    """Replace the file as a whole."""
    write_private(data_dir / FILE, msgspec.json.encode(desired))
