"""`tandem bench`: how fast, at what lag, at what cost."""

import asyncio
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import asyncpg
import click
import msgspec
from pymongo.errors import PyMongoError
from rich.console import Console
from rich.table import Table

from tandem.lab.bench.bench import QUICK, BenchPlan
from tandem.lab.bench.bench import bench as run_bench
from tandem.lab.bench.measure import NotDrained
from tandem.lab.bench.results import Measurement, Report
from tandem.lab.report import write_report
from tandem.local_stack.status import Status, read_status


@click.command
@click.option("--quick", is_flag=True, help="A first look in under two minutes.")
@click.option("--seconds", type=click.FloatRange(1, 600), help="How long each load lasts.  [default: 8]")
@click.option("--rounds", type=click.IntRange(1, 50), help="How often each load is repeated.  [default: 3]")
@click.option("--url", help="An instance or the load balancer.  [default: the stack's load balancer]")
@click.option(
    "--data-dir",
    type=click.Path(path_type=Path),
    default=Path(".tandem"),
    show_default=True,
    help="The data folder of the running stack.",
)
@click.option(
    "--json",
    "json_file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Where the raw data goes; the page lies beside it, as .html.",
)
def bench(url: str | None, data_dir: Path, json_file: Path | None, **choices: Any) -> None:
    """Measure the running stack: rates, latencies, lag, and CPU per user of each component.

    Loads are closed (so many connections, as fast as they go) and open (a fixed rate; latency counts from
    when a request was due). The raw data is kept as JSON, with a page beside it that opens offline.
    """
    data_dir = data_dir.expanduser().absolute()
    running = _running(data_dir)
    try:
        with Console(stderr=True).status("") as status:
            report = asyncio.run(
                run_bench(running, url or str(running.url), data_dir, _plan(**choices), status.update)
            )
    except (NotDrained, OSError, asyncpg.PostgresError, PyMongoError) as error:
        msg = f"The measurement was broken off: {error}. The stack's logs are in {data_dir / 'logs'}."
        raise click.ClickException(msg) from None
    json_file = json_file or Path(f"bench-{datetime.now(UTC):%Y%m%d-%H%M%S}.json")
    page = json_file.with_suffix(".html")
    try:
        json_file.write_bytes(msgspec.json.encode(report))
        write_report(report, page)
    except OSError as error:
        msg = f"The report cannot be written: {error}. Name another file with --json."
        raise click.ClickException(msg) from None
    Console().print(table_of(report))
    click.echo(f"Report: {page}; raw data: {json_file}")


def _plan(*, quick: bool, **changes: float | None) -> BenchPlan:
    given = {name: value for name, value in changes.items() if value is not None}
    return msgspec.structs.replace(QUICK if quick else BenchPlan(), **given)


def table_of(report: Report) -> Table:
    """A line for each measurement: rate, latency, lag, and CPU us a user (or read) of each component."""
    table = Table(box=None, header_style="bold", pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("load (connections)")
    for name in ("a second", "p50 ms", "p99", "lag p50", "p99", "inst. us", "PG", "Mongo", "nginx"):
        table.add_column(name, justify="right", no_wrap=True)
    for measurement in report.measurements:
        table.add_row(*_row(measurement))
    return table


def _row(measurement: Measurement) -> list[str]:
    load = f"{measurement.kind} ({measurement.connections})"
    if measurement.rate_due is not None:
        load = f"{measurement.kind}, {measurement.rate_due:,.0f}/s"
    rate = measurement.per_second.get("synchronized", measurement.per_second.get("read", 0.0))
    row = [load, f"{rate:,.0f}"]
    for found in (measurement.post_ms, measurement.lag_ms):
        row += [f"{found.p50:,.1f}", f"{found.p99:,.1f}"] if found else ["", ""]
    cpu = measurement.cpu_us_per_user
    return row + [
        f"{cpu[name]:,.0f}" if cpu.get(name) else "" for name in ("instances", "postgres", "mongodb", "nginx")
    ]


def _running(data_dir: Path) -> Status:
    try:
        running = read_status(data_dir)
    except PermissionError:
        msg = f"The stack on {data_dir} is somebody else's; only its owner can measure it."
        raise click.ClickException(msg) from None
    if running is None or running.url is None:
        msg = f"No stack is running on {data_dir}. Start one with `tandem up`."
        raise click.ClickException(msg)
    if None in (running.postgres.pid, running.mongodb.pid):
        click.echo(
            "The databases are not this stack's own: their CPU and memory are left out.", file=sys.stderr
        )
    return running
