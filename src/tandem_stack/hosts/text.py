"""The hosts of a stack for people: what runs where, and who is what just now."""

import asyncio
from collections.abc import Mapping, Sequence

from tandem_stack.hosts.cell import MONGODB_PORT
from tandem_stack.hosts.roles import roles_of_mongodb, roles_of_postgres
from tandem_stack.status import CellStatus, HostStatus

TITLES = {
    "etcd": "etcd",
    "patroni": "Patroni",
    "postgres": "PostgreSQL",
    "mongodb": "MongoDB",
    "instance": "instance",
}


async def lines_of_cells(cells: Sequence[CellStatus]) -> list[str]:
    """The lines of `tandem status` for these cells."""
    return [line for lines in await asyncio.gather(*map(_lines_of_cell, cells)) for line in lines]


async def _lines_of_cell(cell: CellStatus) -> list[str]:
    servers = [host for host in cell.hosts if "mongodb" in host.pids]
    postgres, mongodb = await asyncio.gather(
        roles_of_postgres([host for host in servers if "patroni" in host.pids]),
        roles_of_mongodb(servers, MONGODB_PORT),
    )
    draining = ", which takes no new users" if cell.draining else ""
    return [
        f"Cell {cell.number}{draining}",
        *(_line_of_host(host, {"postgres": postgres, "mongodb": mongodb}) for host in cell.hosts),
    ]


def _line_of_host(host: HostStatus, roles: Mapping[str, Mapping[str, str]]) -> str:
    def part(name: str, pid: int | None) -> str:
        role = roles.get(name, {}).get(host.name)
        return f"{TITLES[name]} {pid or 'down'}{f' ({role})' if role else ''}"

    parts = ", ".join(part(name, host.pids[name]) for name in TITLES if name in host.pids)
    return f"  {host.name:12} {host.address:15} {'dead' if host.is_dead else parts}"
