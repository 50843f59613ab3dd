"""Several cells: a pair of databases and an instance each, and the file that lists them all."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import msgspec

from cells_of_tests import make_cell
from installed import installed_orders
from proxy import Proxy, port_of, through
from servers import Servers
from systems import ServedInstance, Servings, System, open_system
from tandem.config.cells import SLOTS, Cell, CellsFile
from waiting import until


@dataclass
class CellUnderTest:
    """One cell. Other cells reach its databases through the proxies, it itself does without."""

    number: int
    system: System
    serve: Servings
    postgres: Proxy
    mongodb: Proxy
    served: ServedInstance | None = None

    @property
    def listed(self) -> Cell:
        """How the file lists it."""
        urls = through(self.system, postgres=self.postgres, mongodb=self.mongodb).urls
        return Cell(self.number, urls.postgres_service_url, urls.mongodb_service_url)

    @property
    def client(self) -> httpx.AsyncClient:
        """A client of its instance."""
        assert self.served is not None
        return self.served.client


@dataclass
class CellsUnderTest:
    """Cells, by their numbers."""

    folder: Path
    file: Path
    environment: dict[str, str] = field(default_factory=dict)
    by_number: dict[int, CellUnderTest] = field(default_factory=dict)

    def list_in_file(self, *numbers: int) -> None:
        """Have the file list these cells, and no others."""
        cells = [self.by_number[number].listed for number in numbers]
        new = self.file.with_suffix(".new")
        new.write_bytes(msgspec.json.encode(CellsFile(cells, [[numbers[0]]] * SLOTS)))
        new.chmod(0o640)
        new.rename(self.file)

    async def start(self, number: int, **environment: str) -> ServedInstance:
        """Start the instance of this cell."""
        cell = self.by_number[number]
        known = {"CELL": str(number), "CELLS_FILE": str(self.file)}
        cell.served = await cell.serve(f"instance-{number}", **(self.environment | known | environment))
        return cell.served

    def __getitem__(self, number: int) -> CellUnderTest:
        return self.by_number[number]

    @property
    def clients(self) -> Sequence[httpx.AsyncClient]:
        """Clients of all instances."""
        return [cell.client for cell in self.by_number.values() if cell.served is not None]

    async def until_same(
        self, path: str, accept: Callable[[httpx.Response], bool], **parameters: Any
    ) -> None:
        """Wait until each instance's answer is accepted."""

        async def are_accepted() -> bool:
            answers = await asyncio.gather(*(each.get(path, params=parameters) for each in self.clients))
            return all(map(accept, answers))

        await until(are_accepted, f"all instances answer {path} as they shall")


@asynccontextmanager
async def open_cells(
    servers: Servers, folder: Path, numbers: Sequence[int], aggregates: Sequence[Any] = ()
) -> AsyncIterator[CellsUnderTest]:
    """Migrated databases for these cells, of which the file lists all. No instance runs yet."""
    cells = CellsUnderTest(folder, folder / "cells.json")
    if aggregates:
        cells.environment = installed_orders(folder / "installed")
    async with AsyncExitStack() as stack:
        for number in numbers:
            lent = await stack.enter_async_context(servers.lend_databases())
            system = await stack.enter_async_context(open_system(lent, aggregates))
            await make_cell(system, number)
            servings = Servings(system, folder)
            stack.push_async_callback(servings.close)
            postgres = await stack.enter_async_context(Proxy(port_of(lent.postgres_service_url)))
            mongodb = await stack.enter_async_context(Proxy(port_of(lent.mongodb_service_url)))
            cells.by_number[number] = CellUnderTest(number, system, servings, postgres, mongodb)
        cells.list_in_file(*numbers)
        yield cells


async def create_users(cell: CellUnderTest, count: int, seed: str = "run") -> list[int]:
    """Create so many users in this cell, and wait until MongoDB has them; their ids."""
    users = [
        {"email": f"{seed}-{number}@cell-{cell.number}.example", "name": {"first": "Ann", "last": seed}}
        for number in range(count)
    ]
    answers = await asyncio.gather(
        *(
            cell.client.post(
                "/api/v1/user-command", params={"seed": seed}, json=user, headers={"Prefer": "wait=10"}
            )
            for user in users
        )
    )
    assert {answer.status_code for answer in answers} == {201}, answers[0].text
    return [answer.json()["id"] for answer in answers]
