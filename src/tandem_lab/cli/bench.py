"""`tandem bench`: how fast, at what lag, at what cost, and how that compares."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import click
from rich.console import Group
from rich.markup import escape

from tandem.aggregates.installed import named
from tandem.cli.tables import Column, FittedTable
from tandem_lab.bench.bench import QUICK, BenchPlan
from tandem_lab.bench.bench import bench as run_bench
from tandem_lab.bench.beside_users import bench_beside_users
from tandem_lab.bench.own_stack import address_of
from tandem_lab.bench.results import Measurement, Report, rate_of
from tandem_lab.bench.steps import Tell
from tandem_lab.cli.common import finish, measure, numbers, report_options, stack_for, with_choices
from tandem_lab.cli.peers import or_peers
from tandem_lab.report.analysis import Ratio, ratios
from tandem_lab.report.format import number
from tandem_lab.report.metrics import cpu_by_thread
from tandem_lab.report.runs import Loads, load_name
from tandem_lab.report.thresholds import Threshold

COLUMNS = (
    Column("load (connections)", fold_at=24, is_number=False),
    Column("a second"),
    Column("p50 ms", spare=4),
    Column("p99 ms", spare=3),
    Column("lag p50", spare=2),
    Column("lag p99", spare=1),
    Column("inst. us", spare=5),
    Column("loop us", spare=6),
    Column("PG us", spare=7),
    Column("Mongo us", spare=8),
    Column("nginx us", spare=9),
)


@click.command
@click.option(
    "--aggregate",
    help="Measure instead how fast an installed aggregate is created, such as orders, and in turn users "
    "whose events are as large.",
)
@click.option("--quick", is_flag=True, help="A first look in about two minutes.")
@click.option("--seconds", type=click.FloatRange(1, 600), help="How long each load lasts.  [default: 8]")
@click.option("--rounds", type=click.IntRange(1, 50), help="How often each load is repeated.  [default: 3]")
@click.option(
    "--connections",
    type=numbers(int, 1, 2000),
    help="Closed loads: so many connections, as fast as they go.  [default: 200,6]",
)
@click.option(
    "--rate", "rates", type=numbers(float, 1, 100_000), help="Open loads: so many users due a second."
)
@click.option("--baselines/--no-baselines", default=True, show_default=True, help="Measure them in turn.")
@click.option("--changes/--no-changes", default=True, show_default=True, help="Update and delete users, too.")
@click.option(
    "--users-before",
    type=click.IntRange(0, 100_000_000),
    help="Fill the tables up to so many users first.  [default: as they are]",
)
@click.option(
    "--instances",
    type=click.IntRange(1, 64),
    help="How many a stack of the lab's own has, where none is running.  [default: 1]",
)
@click.option("--url", help="Where the load goes.  [default: the only instance, or the load balancer]")
@or_peers
@report_options
def bench(
    url: str | None,
    data_dir: Path,
    json_file: Path | None,
    instances: int | None,
    thresholds: tuple[Threshold, ...],
    **choices: Any,
) -> None:
    """Measure a stack: rates, latencies, lag, CPU per user of each component, beside the baselines.

    It is the running one, or, where none is, one that is started for this and removed afterwards. The raw
    data is kept as JSON, with a page beside it that opens offline.

    With --peer or --peers other systems are measured instead, side by side, on a stack of the lab's own.
    """
    plan = _plan(**choices)
    carry_out = run_bench if plan.aggregate is None else bench_beside_users

    async def work(tell: Tell) -> Report:
        async with stack_for(data_dir, instances) as stack:
            address = url or address_of(stack.running)
            return await carry_out(stack.running, address, stack.data_dir, plan, tell)

    report = measure(work)
    finish(report, table_of(report), json_file, thresholds)


def _plan(*, quick: bool, baselines: bool, changes: bool, aggregate: str | None, **choices: Any) -> BenchPlan:
    without = ({} if baselines else {"baselines": ()}) | ({} if changes else {"changed": 0, "exponents": ()})
    measured = {"aggregate": named(aggregate) if aggregate else None}
    return with_choices(QUICK if quick else BenchPlan(), choices | without | measured)


def table_of(report: Report) -> Group:
    """A line for each measurement (rate, latency, lag, CPU us of each component), then one for each ratio."""
    table = FittedTable(*COLUMNS, elsewhere="A wider window shows more, the report all.")
    for measurement in report.measurements:
        table.add_row(*_row(measurement))
    found = ratios(Loads(report))
    lines = [f"{number(ratio.spread.median):>6}  {escape(ratio.id.name)}" for ratio in found]
    return Group(table, "", *lines, *_beside_users(report, found))


def _beside_users(report: Report, found: Sequence[Ratio]) -> Iterator[str]:
    """How an aggregate compared with users in each round, and how large the events were of both."""
    sizes = report.environment.get("aggregate")
    if sizes is None:
        return
    for ratio in found:
        rounds = ", ".join(map(number, ratio.rounds))
        yield f"Round by round: {rounds}."
        own, alike = sizes["bytes_of_its_first_event"], sizes["bytes_of_created"]
        yield f"The events of {escape(sizes['name'])} had {own} bytes, those of users {alike}."


def _row(measurement: Measurement) -> list[str]:
    load = load_name(measurement)
    if measurement.rate_due is not None:
        load += f", {measurement.rate_due:,.0f}/s"
    elif measurement.connections:
        load += f" ({measurement.connections})"
    row = [load, f"{rate_of(measurement):,.0f}"]
    for found in (measurement.post_ms, measurement.lag_ms):
        row += [f"{found.p50:,.1f}", f"{found.p99:,.1f}"] if found else ["", ""]
    cpu = measurement.cpu_us_per_user | cpu_by_thread(measurement)
    shown = ("instances", "event-loop", "postgres", "mongodb", "nginx")
    return row + [f"{cpu[name]:,.0f}" if cpu.get(name) else "" for name in shown]
