"""Several cells for tests: a pair of databases each, and the files that list them."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from pathlib import Path

import asyncpg
import msgspec

from servers import Servers
from systems import System, open_system
from tandem.config.cells import SLOTS, Cell, CellsFile
from tandem.user_command.cell import become_cell
from tandem.user_command.migrate import Patience, Steps


class CellsFileOfTests:
    """A file that lists these cells, and is replaced as whoever adds one does."""

    def __init__(self, path: Path, cells: Mapping[int, System]) -> None:
        self.path = path
        self._cells = cells

    def write(
        self, slots: Sequence[Sequence[int]], *, draining: Sequence[int] = (), moving: bool = False
    ) -> None:
        """Replace it. `slots` are repeated until there are enough."""
        cells = [
            Cell(number, one.urls.postgres_service_url, one.urls.mongodb_service_url, number in draining)
            for number, one in self._cells.items()
        ]
        all_slots = [list(slots[number % len(slots)]) for number in range(SLOTS)]
        new = self.path.with_suffix(".new")
        new.write_bytes(msgspec.json.encode(CellsFile(cells, all_slots, moving)))
        new.chmod(0o600)
        new.rename(self.path)


async def make_cell(system: System, number: int) -> None:
    """What `tandem migrate` does where CELL is this number."""
    owner = await asyncpg.connect(system.urls.postgres_owner_url)
    patience = Patience(in_all=timedelta(minutes=1))
    await become_cell(Steps(owner, system.urls.postgres_owner_url, patience, lambda _: None), number)
    await owner.close()


@asynccontextmanager
async def open_cells(
    servers: Servers, numbers: Sequence[int], aggregates: Sequence[object] = ()
) -> AsyncIterator[dict[int, System]]:
    """Cells of these numbers, with nothing in them."""
    async with AsyncExitStack() as stack:
        cells = {}
        for number in numbers:
            databases = await stack.enter_async_context(servers.lend_databases())
            cells[number] = await stack.enter_async_context(open_system(databases, aggregates))
            await make_cell(cells[number], number)
        yield cells
