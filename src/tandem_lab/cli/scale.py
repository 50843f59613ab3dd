"""`tandem scale`: how throughput grows with instances and connections, or with cells, and what limits it."""

from pathlib import Path
from typing import Any

import click
from rich.console import Group

from tandem.cli.tables import Column, FittedTable
from tandem_lab.bench.cells import QUICK_CELLS, CellsPlan, scale_cells
from tandem_lab.bench.results import Report
from tandem_lab.bench.scale import QUICK, ScalePlan
from tandem_lab.bench.scale import scale as run_scale
from tandem_lab.cli.common import finish, measure, numbers, report_options, with_choices
from tandem_lab.report.analysis import OF_INSTANCES, beside_one
from tandem_lab.report.cells import predicted
from tandem_lab.report.costs import over_cells
from tandem_lab.report.format import number
from tandem_lab.report.metrics import servers_cpu
from tandem_lab.report.runs import Loads, Runs
from tandem_lab.report.thresholds import Threshold


@click.command
@click.option("--quick", is_flag=True, help="A first look in two or three minutes.")
@click.option(
    "--instances", type=numbers(int, 1, 64), help="So many instances, in turn.  [default: 1,2,3,4,5,6]"
)
@click.option(
    "--cells", type=numbers(int, 1, 16), help="Measure so many cells in turn instead, as in 1,2,3,4."
)
@click.option(
    "--cpu-per-cell",
    type=click.FloatRange(0.05, 64),
    help="With --cells: the cores that each may use.  [default: 0.25]",
)
@click.option("--seconds", type=click.FloatRange(1, 600), help="How long each load lasts.  [default: 8]")
@click.option("--rounds", type=click.IntRange(1, 50), help="How often each is repeated.  [default: 3]")
@click.option(
    "--connections",
    type=click.IntRange(1, 2000),
    help="How many send to the instances, whatever their number; with --cells, to each cell.  "
    "[default: 200; 40]",
)
@click.option(
    "--connections-of-one",
    type=numbers(int, 1, 2000),
    help="How many send to one instance without nginx, in turn.  [default: 1,2,6,16,50,100,200,400]",
)
@click.option("--seed", help="Names the users: the same seed makes the same ones.  [default: scale; cells]")
@report_options
def scale(
    quick: bool, data_dir: Path, json_file: Path | None, thresholds: tuple[Threshold, ...], **choices: Any
) -> None:
    """Measure how throughput grows with instances and connections, or with cells.

    Each number gets a stack of its own, which is removed afterwards. The Universal Scalability Law is fitted
    to the curves where the data can tell. Of instances, one without nginx is the reference; of cells, what
    the two fewest carry predicts the most.
    """
    if choices["cells"] is None:
        plan = with_choices(QUICK if quick else ScalePlan(), _only(ScalePlan, choices))
        report = measure(lambda tell: run_scale(data_dir, plan, tell))
        finish(report, table_of(report), json_file, thresholds)
        return
    choices["connections_per_cell"] = choices.pop("connections")
    of_cells = with_choices(QUICK_CELLS if quick else CellsPlan(), _only(CellsPlan, choices))
    report = measure(lambda tell: scale_cells(data_dir, of_cells, tell))
    finish(report, table_of_cells(report), json_file, thresholds)


def _only(kind: type[ScalePlan] | type[CellsPlan], choices: dict[str, Any]) -> dict[str, Any]:
    """The options that a plan of this kind has.

    Raises:
        UsageError: another option was given.
    """
    for name, value in choices.items():
        if value is not None and name not in kind.__struct_fields__:
            with_cells = "with" if kind is CellsPlan else "without"
            msg = f"--{name.replace('_', '-')} says nothing {with_cells} --cells."
            raise click.UsageError(msg)
    return {name: value for name, value in choices.items() if name in kind.__struct_fields__}


def table_of_cells(report: Report) -> Group:
    """A line for each number of cells: medians of its rounds. Then the prediction."""
    table = FittedTable(
        Column("cells"),
        Column("users/s"),
        Column("of each cell"),
        Column("servers, us/user", spare=2),
        Column("HAProxy, us/user", spare=3),
        Column("POST p99, ms", spare=1),
        elsewhere="A wider window shows more, the report all.",
    )
    loads = Loads(report)
    for cells, runs in over_cells(loads).items():
        waited = runs.latency("post_ms", "p99")
        table.add_row(
            str(cells),
            number(runs.rate.median),
            number(runs.rate.median / cells),
            number(runs.spread(servers_cpu).median),
            number(runs.spread(lambda each: each.cpu_us_per_user.get("haproxy", 0.0)).median),
            number(waited.median) if waited else "",
        )
    return Group(table, predicted(loads))


def table_of(report: Report) -> FittedTable:
    """A line for each load: medians of its rounds."""
    table = FittedTable(
        Column("load", fold_at=24, is_number=False),
        Column("users/s"),
        Column("servers, us/user", spare=4),
        Column("loop, us/user", spare=5),
        *(Column(f"{name}, to one", spare=3) for name in OF_INSTANCES.values()),
        Column("fairness", spare=6),
        elsewhere="A wider window shows more, the report all.",
    )
    loads = Loads(report)
    for runs in loads.all:
        table.add_row(*_row(runs, loads))
    return table


def _row(runs: Runs, loads: Loads) -> list[str]:
    is_shared = runs.key.instances > 1 and runs.fairness is not None
    beside = beside_one(runs.key.instances, loads) if runs.key.through_nginx else {}
    return [
        str(runs.key),
        number(runs.rate.median),
        number(runs.spread(servers_cpu).median),
        number(runs.spread(lambda each: each.event_loop_us_per_user or 0.0).median),
        *(number(beside[each].median) if each in beside else "" for each in OF_INSTANCES),
        f"{runs.fairness:.3f}" if is_shared else "",
    ]
