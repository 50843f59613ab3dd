"""`tandem stats`: the statistics of runs, as a table for people or as JSON for programs."""

from pathlib import Path
from urllib.parse import urlencode

import click
import msgspec
from rich.console import Console

from tandem.aggregates.names_controller import USERS
from tandem.cli.aggregates import aggregate_option, names_of
from tandem.cli.http import address_options, answer_of, base_url
from tandem.cli.tables import Column, FittedTable
from tandem.runs.statistics import RunStatistics

RATE = "users/s"
COLUMNS = (
    Column("seed", fold_at=20, is_number=False),
    Column("instance", spare=1, fold_at=20, is_number=False),
    Column("total"),
    Column("done", spare=3),
    Column("pending", spare=2),
    Column("dead", spare=4),
    Column("taken", spare=8),
    Column("updated", spare=9),
    Column("deleted", spare=10),
    Column(RATE, spare=6),
    Column("p50 ms", spare=7),
    Column("p99 ms", spare=5),
)


@click.command
@click.option("--seed", help="Only this run.")
@aggregate_option
@click.option("--json", "as_json", is_flag=True, help="What /api/v1/stats answers, unchanged.")
@address_options
def stats(seed: str | None, aggregate: str, as_json: bool, url: str | None, data_dir: Path) -> None:
    """Show what each instance created in each run, what is pending, and how far behind MongoDB is.

    "done" is synchronized, "dead" was refused by MongoDB for good, "taken" was synchronized by another
    instance than created it, "updated" counts updates. Counts are exact; percentiles of the lag (from a
    version's commit to SYNCRONIZED) within 5 %.
    """
    base = base_url(url, data_dir)
    names = names_of(base, aggregate)
    query = {"seed": seed, "aggregate": None if names == USERS else names.name}
    asked = urlencode({name: value for name, value in query.items() if value is not None})
    answer = answer_of(f"{base}/api/v1/stats?{asked}")
    if silent := answer.headers.get("Silent-Cells"):
        click.echo(f"Cells that do not answer, and are not counted: {silent}.", err=True)
    if as_json:
        click.echo(answer.body.decode())
        return
    rows = msgspec.json.decode(answer.body, type=list[RunStatistics])
    if rows:
        Console().print(table_of(rows, names.plural))
    else:
        many = names.plural
        click.echo(f"No {many} yet." if seed is None else f"No {many} in the run {seed!r}.")


def row_counts(row: RunStatistics) -> tuple[int, ...]:
    """The numbers of users of a row, in the table's order."""
    of_users = (row.total, row.synchronized, row.pending, row.dead_letters, row.taken_over)
    return (*of_users, row.updated, row.deleted)


def table_of(rows: list[RunStatistics], many: str = USERS.plural) -> FittedTable:
    """A line for each run and instance; runs are made of `many`."""
    columns = [
        msgspec.structs.replace(column, name=f"{many}/s") if column.name == RATE else column
        for column in COLUMNS
    ]
    table = FittedTable(*columns, elsewhere="A wider window shows more, --json all.")
    for row in rows:
        lag = row.lag_ms
        counts = [f"{count:,}" for count in row_counts(row)]
        rate = "" if row.users_per_second is None else f"{row.users_per_second:,.0f}"
        lags = [f"{ms:,.1f}" for ms in (lag.p50, lag.p99)] if lag else ["", ""]
        table.add_row(row.seed, row.app_id, *counts, rate, *lags)
    return table
