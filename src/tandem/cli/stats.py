"""`tandem stats`: the statistics of runs, as a table for people or as JSON for programs."""

import urllib.error
import urllib.request
from pathlib import Path
from urllib.parse import quote

import click
import msgspec
from rich.console import Console
from rich.table import Table

from tandem.local_stack.status import read_status
from tandem.user_command.statistics import RunStatistics

TIMEOUT_SECONDS = 10
COLUMNS = ["instance", "total", "done", "pending", "taken", "users/s", "p50 ms", "p99 ms"]


@click.command
@click.option("--seed", help="Only this run.")
@click.option("--json", "as_json", is_flag=True, help="What /api/v1/stats answers, unchanged.")
@click.option("--url", help="Where an instance or the load balancer answers.  [default: the running stack]")
@click.option(
    "--data-dir",
    type=click.Path(path_type=Path),
    default=Path(".tandem"),
    show_default=True,
    help="The data folder of the running stack.",
)
def stats(seed: str | None, as_json: bool, url: str | None, data_dir: Path) -> None:
    """Show what each instance created in each run, what is pending, and how far behind MongoDB is.

    "done" is synchronized, "taken" is synchronized by another instance than the one that created the user.
    Counts are exact; the percentiles of the lag (created to synchronized) are within 5 %.
    """
    answer = _get(url or _running_url(data_dir.expanduser().absolute()), seed)
    if as_json:
        click.echo(answer)
        return
    rows = msgspec.json.decode(answer, type=list[RunStatistics])
    if rows:
        Console().print(table_of(rows))
    else:
        click.echo("No users yet." if seed is None else f"No users in the run {seed!r}.")


def table_of(rows: list[RunStatistics]) -> Table:
    """A line for each run and instance."""
    table = Table(box=None, header_style="bold", pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("seed", overflow="fold", min_width=14)
    for column in COLUMNS:
        table.add_column(column, justify="left" if column == "instance" else "right", no_wrap=True)
    for row in rows:
        lag = row.lag_ms
        counts = [f"{count:,}" for count in (row.total, row.synchronized, row.pending, row.taken_over)]
        rate = "" if row.users_per_second is None else f"{row.users_per_second:,.0f}"
        lags = [f"{ms:,.1f}" for ms in (lag.p50, lag.p99)] if lag else ["", ""]
        table.add_row(row.seed, row.app_id, *counts, rate, *lags)
    return table


def _running_url(data_dir: Path) -> str:
    try:
        running = read_status(data_dir)
    except PermissionError:
        msg = f"The stack on {data_dir} is somebody else's. Name its address with --url."
        raise click.ClickException(msg) from None
    if running is None or running.url is None:
        msg = f"No stack is running on {data_dir}. Start one with `tandem up`, or name an address with --url."
        raise click.ClickException(msg)
    return running.url


def _get(url: str, seed: str | None) -> str:
    if not url.startswith(("http://", "https://")):
        msg = f"{url!r} is no address: it must begin with http:// or https://."
        raise click.ClickException(msg)
    address = f"{url.rstrip('/')}/api/v1/stats" + (f"?seed={quote(seed)}" if seed else "")
    try:
        with urllib.request.urlopen(address, timeout=TIMEOUT_SECONDS) as answer:  # noqa: S310 - http(s) only
            return str(answer.read().decode())
    except urllib.error.HTTPError as error:
        msg = f"{address} answered {error.code} ({error.reason})."
        raise click.ClickException(msg) from None
    except (urllib.error.URLError, OSError, ValueError) as error:
        msg = f"{address} does not answer ({error}). Is it running? `tandem up` starts a stack."
        raise click.ClickException(msg) from None
