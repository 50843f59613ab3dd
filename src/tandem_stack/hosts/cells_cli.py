"""`tandem cells`: which cells a stack of hosts has, one more, and one that takes no new users any more."""

import asyncio
import sys
from pathlib import Path
from typing import Literal

import asyncpg
import click

from tandem_stack.hosts.cell import INSTANCE_PORT
from tandem_stack.hosts.changing import add_cell, drain_cell
from tandem_stack.hosts.desired import MOST_INSTANCE_HOSTS
from tandem_stack.ports import http_answer
from tandem_stack.running import data_dir_option, nothing_runs_on, running_on
from tandem_stack.status import CellStatus, HostStatus

ANSWER_SECONDS = 5.0
_data_dir_option = data_dir_option("The data folder of the stack.")


@click.group
def cells() -> None:
    """List, add or drain the cells of a stack that runs with --hosts."""


@cells.command("list")
@_data_dir_option
def list_cells(data_dir: Path) -> None:
    """Say of each cell whether it takes new users, and how many it has."""
    running = running_on(data_dir, ": its status holds passwords.")
    if running is None or not running.cells:
        click.echo(nothing_runs_on(data_dir, "up --hosts"))
        sys.exit(1)
    for line in asyncio.run(_lines(running.cells)):
        click.echo(line)


@cells.command
@_data_dir_option
@click.option(
    "--hosts-per-cell", type=click.Choice([1, 3]), help="Database hosts.  [default: as the last cell]"
)
@click.option(
    "--instance-hosts",
    type=click.IntRange(1, MOST_INSTANCE_HOSTS),
    help="Hosts with an instance each.  [default: as the last cell]",
)
def add(data_dir: Path, hosts_per_cell: Literal[1, 3] | None, instance_hosts: int | None) -> None:
    """Add a cell, with an even share of the idempotency keys. All else goes on meanwhile."""
    number = asyncio.run(add_cell(data_dir, hosts_per_cell, instance_hosts))
    click.echo(f"Cell {number} takes users.")


@cells.command
@_data_dir_option
@click.argument("number", type=click.IntRange(0))
def drain(data_dir: Path, number: int) -> None:
    """Let a cell take no new users any more. All else in it goes on, for good."""
    asyncio.run(drain_cell(data_dir, number))
    click.echo(f"Cell {number} takes no new users any more.")


async def _lines(found: tuple[CellStatus, ...]) -> list[str]:
    states = await asyncio.gather(*map(_state, found))
    users = await asyncio.gather(*map(_users, found))
    rows = [("cell", "state", "users", "hosts")]
    rows += [
        (str(cell.number), state, count, " ".join(host.name for host in cell.hosts))
        for cell, state, count in zip(found, states, users, strict=True)
    ]
    return [f"{number:>4}  {state:9} {count:>15}  {hosts}" for number, state, count, hosts in rows]


async def _state(cell: CellStatus) -> str:
    """Whether it takes new users (`ready`), only all else (`draining`), only reads, or nothing (`silent`)."""
    instances = [host for host in cell.hosts if "instance" in host.pids]

    async def is_said(question: str) -> bool:
        return any(await asyncio.gather(*(_says_yes(host, question) for host in instances)))

    if await is_said("/health/ready"):
        return "draining" if cell.draining else "ready"
    if cell.draining and await is_said("/health/ready?for=changes"):
        return "draining"
    return "reads" if await is_said("/health/read") else "silent"


async def _says_yes(host: HostStatus, question: str) -> bool:
    answer = await http_answer(host.address, INSTANCE_PORT, "GET", question)
    return answer is not None and answer[0] == 200


async def _users(cell: CellStatus) -> str:
    """How many users it has, deleted ones too; `?` if its PostgreSQL does not answer."""
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            connection = await asyncpg.connect(cell.postgres_url)
            try:
                count = await connection.fetchval("SELECT coalesce(sum(users), 0)::bigint FROM lab_run")
                return f"{count:,}"
            finally:
                await connection.close(timeout=1)
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
        return "?"
