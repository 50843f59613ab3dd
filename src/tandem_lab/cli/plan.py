"""`tandem plan`: how many cells a wanted load needs, from what a user costs."""

import re
from pathlib import Path
from typing import Any

import click
import msgspec
from rich.console import Console

from tandem.cli.tables import Column, FittedTable
from tandem.ids import HIGHEST_CELL, HIGHEST_ID
from tandem_lab.capacity import MOST_CELLS_FOR_EMAIL, Costs, Machine, Plan
from tandem_lab.capacity import plan as make_plan
from tandem_lab.cli.common import Parsed
from tandem_lab.cli.compare import read_report
from tandem_lab.errors import LabError
from tandem_lab.report.costs import DOCUMENTED, costs_of
from tandem_lab.report.format import number
from tandem_lab.report.metrics import component_name

UNITS = {"GB": 1e9, "TB": 1e12, "PB": 1e15}
SIZE = re.compile(r"(\d+(?:\.\d+)?) ?(GB|TB|PB)")


def bytes_of(text: str) -> float:
    """The bytes of a size like `1.5TB`.

    Raises:
        ValueError: it is none.
    """
    match = SIZE.fullmatch(text)
    if match is None or not float(match[1]):
        raise ValueError(f"{text!r} is no size like 800GB, 1.5TB or 2PB.")
    return float(match[1]) * UNITS[match[2]]


def size(count: float) -> str:
    """A number of bytes for people."""
    unit = next((each for each in reversed(UNITS) if count >= UNITS[each]), "GB")
    return f"{number(count / UNITS[unit])} {unit}"


@click.command
@click.option(
    "--users-per-second",
    type=click.FloatRange(0, 1e9),
    required=True,
    help="How many are to be created a second.",
)
@click.option(
    "--users",
    type=click.FloatRange(0, HIGHEST_ID),
    required=True,
    help="How many are to be kept, as in 1e11.",
)
@click.option(
    "--from",
    "report",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The JSON of a `tandem bench` or `tandem scale` on such machines.  [default: documented figures]",
)
@click.option(
    "--cores", type=click.IntRange(1, 1024), default=8, show_default=True, help="Of each host of a cell."
)
@click.option(
    "--storage",
    "storage_bytes",
    type=Parsed("size", bytes_of),
    default="1.5TB",
    show_default=True,
    help="What a cell's databases may fill: one copy of both.",
)
@click.option(
    "--busy",
    type=click.FloatRange(0.05, 1),
    default=0.6,
    show_default=True,
    help="How busy the cores may be then. The rest is for peaks, clearing up and a lost host.",
)
@click.option("--json", "as_json", is_flag=True, help="The plan for programs.")
def plan(
    users_per_second: float, users: float, report: Path | None, *, as_json: bool, **of_a_host: Any
) -> None:
    """Predict what a cell carries and holds, and how many cells a wanted load needs, with the error.

    It goes by what a user costs: CPU of each component, bytes logged and bytes stored. docs/capacity.md says
    how.
    """
    costs = DOCUMENTED if report is None else costs_of(read_report(report))
    machine = Machine(**of_a_host)
    try:
        found = make_plan(costs, machine, users_per_second, users)
    except ValueError as error:
        msg = f"{report} is not enough to plan by. {error}"
        raise LabError(msg) from None
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(found), indent=2))
        return
    console = Console()
    console.print(_table_of_costs(costs))
    click.echo(f"  {costs.source}\n")
    console.print(_table_of(found, machine))
    for sentence in _sentences(found, costs, users_per_second, users):
        console.print(sentence, highlight=False)


def _table_of_costs(costs: Costs) -> FittedTable:
    table = FittedTable(
        Column("a user costs", is_number=False),
        Column("CPU, us"),
        Column("bytes logged"),
        Column("bytes stored"),
    )
    for name, cpu in costs.cpu_us.items():
        bytes_ = (costs.logged_bytes.get(name), costs.stored_bytes.get(name))
        if cpu:
            shown = ("" if each is None else f"{each:,.0f}" for each in bytes_)
            table.add_row(component_name(name), number(cpu), *shown)
    return table


def _table_of(found: Plan, machine: Machine) -> FittedTable:
    cell = found.cell
    table = FittedTable(
        Column(f"one cell ({machine.cores} cores a host, {size(machine.storage_bytes)})", is_number=False),
        Column(""),
    )
    for name, shown in (
        (f"users/s, its cores {machine.busy:.0%} busy", number(cell.users_per_second)),
        ("users that it holds", f"{cell.users:,.0f}"),
        ("instances for that rate, on so many hosts", f"{cell.instances}, on {cell.instance_hosts}"),
        ("written to its databases' disk, MB/s", number(cell.written_bytes_per_second / 1e6)),
    ):
        table.add_row(name, shown)
    return table


def _sentences(found: Plan, costs: Costs, users_per_second: float, users: float) -> list[str]:
    within = "" if found.least == found.most else f", from {found.least:,} to {found.most:,} within the error"
    limit = "the storage" if found.is_storage_bound else "the rate"
    each = f"{number(users_per_second / found.cells)} users/s and {number(users / found.cells)} users in each"
    cells = "one cell" if found.cells == 1 else f"{found.cells:,} cells"
    said = [
        f"{users_per_second:,.0f} users/s and {users:,.0f} users need [bold]{cells}[/]{within}, "
        f"because of {limit}: {each}, and {size(found.stored_bytes)} in all for every copy.",
        f"The error of a rate is {'not known' if costs.error is None else f'{costs.error:.0%}'}: "
        f"{costs.error_is}.",
    ]
    if found.balancer_cores:
        said.append(f"The load balancers need {number(found.balancer_cores)} cores.")
    if found.cells > MOST_CELLS_FOR_EMAIL:
        said.append(
            f"Reads by e-mail ask every cell, which is good to about {MOST_CELLS_FOR_EMAIL}: "
            "so many cells need a directory of addresses."
        )
    if found.cells > HIGHEST_CELL + 1:
        said.append(f"[yellow]Mind:[/] ids name {HIGHEST_CELL + 1:,} cells at most. Make each larger.")
    return said
