"""`tandem up`, `tandem down` and `tandem status`: the local stack."""

import asyncio
import sys
from pathlib import Path
from typing import Any

import click
import msgspec
from click.core import ParameterSource
from rich.console import Console
from rich.table import Table

from tandem_stack.data_folder import DataFolder
from tandem_stack.display import Display
from tandem_stack.down import end_stack
from tandem_stack.health import READY, Health, health_of
from tandem_stack.hosts.desired import MOST_INSTANCE_HOSTS
from tandem_stack.hosts.hosts_stack import HostsStack
from tandem_stack.hosts.options import HostsOptions
from tandem_stack.hosts.quota import LEAST_CORES
from tandem_stack.hosts.text import lines_of_cells
from tandem_stack.running import command, data_dir_option, nothing_runs_on, running_on
from tandem_stack.stack import Options, Stack
from tandem_stack.status import Status
from tandem_stack.up import AnyStack, run_stack

# More would not run on one machine.
MOST_CELLS = 16
HOSTS_ONLY = ("cells", "hosts_per_cell", "instance_hosts", "cpu_per_cell", "asynchronous")
WITHOUT_HOSTS = (
    *("instances", "instance_port"),
    *("postgres_url", "mongodb_url", "postgres_port", "mongodb_port", "postgres_via", "mongodb_via"),
)
PORT = click.IntRange(1024, 65_535)
_data_dir_option = data_dir_option("Where the stack keeps its data, passwords and logs.")


@click.command
@click.option("--instances", type=click.IntRange(1, 64), default=3, show_default=True, help="How many.")
@click.option("--port", type=PORT, default=8080, show_default=True, help="The load balancer's port.")
@click.option(
    "--instance-port", type=PORT, default=3101, show_default=True, help="The first instance's port."
)
@_data_dir_option
@click.option(
    "--postgres-url", help="Use your own PostgreSQL (18 or newer); the role must be able to create tables."
)
@click.option("--mongodb-url", help="Use your own MongoDB (5 or newer, a replica set).")
@click.option("--postgres-port", type=PORT, help="PostgreSQL's port.  [default: a free one]")
@click.option("--mongodb-port", type=PORT, help="MongoDB's port.  [default: a free one]")
@click.option("--postgres-via", type=PORT, hidden=True)
@click.option("--mongodb-via", type=PORT, hidden=True)
@click.option("--hosts", "on_hosts", is_flag=True, help="Run it on several hosts made of this machine.")
@click.option("--cells", type=click.IntRange(1, MOST_CELLS), help="How many cells.  [default: 1]")
@click.option(
    "--hosts-per-cell",
    type=click.Choice([1, 3]),
    help="Database hosts of a cell; with 3, one may be lost.  [default: 3 for one cell, else 1]",
)
@click.option(
    "--instance-hosts",
    type=click.IntRange(1, MOST_INSTANCE_HOSTS),
    help="Hosts of a cell with an instance each.  [default: 2 with 3 database hosts, else 1]",
)
@click.option(
    "--cpu-per-cell",
    type=click.FloatRange(LEAST_CORES),
    help="Cores that the hosts of a cell may use together.  [default: all]",
)
@click.option("--asynchronous", is_flag=True, hidden=True)
@click.option("--no-desk", is_flag=True, help="Without what breaks and loads the stack from the page.")
@click.pass_context
def up(context: click.Context, /, *, on_hosts: bool, no_desk: bool, **options: Any) -> None:
    """Run the whole stack on 127.0.0.1 until Ctrl-C: databases, instances, load balancer.

    Whatever dies is started again. The data is kept, and used by the next `tandem up`.

    With --hosts: one cell of three database hosts, two hosts of instances, and HAProxy in front, or several
    cells. As root each host is a network namespace, otherwise an address of its own.
    """
    mine, others = (HOSTS_ONLY, WITHOUT_HOSTS) if on_hosts else (WITHOUT_HOSTS, HOSTS_ONLY)
    for name in others:
        if context.get_parameter_source(name) is not ParameterSource.DEFAULT:
            option = f"--{name.replace('_', '-')}"
            raise click.UsageError(f"{option} is for a stack {'without' if on_hosts else 'with'} --hosts.")
    data_dir, port = options["data_dir"], options["port"]
    display = Display(Console(), "prove --hosts" if on_hosts else "prove --fault all")
    chosen = {"data_dir": data_dir, "port": port, "beside": not no_desk}
    chosen |= {name: options[name] for name in mine}

    def make(folder: DataFolder) -> AnyStack:
        if on_hosts:
            return HostsStack(folder, HostsOptions(**chosen), display)
        return Stack(folder, Options(**chosen), display)

    sys.exit(run_stack(make, data_dir, display))


@click.command
@_data_dir_option
def down(data_dir: Path) -> None:
    """End the stack that runs on the data folder, and wait until it has ended."""
    ended = end_stack(data_dir)
    click.echo("The stack has ended." if ended else f"No stack is running on {data_dir}.")


@click.command
@_data_dir_option
@click.option("--json", "as_json", is_flag=True, help="For programs; with the owner's passwords.")
def status(data_dir: Path, as_json: bool) -> None:
    """Say what runs on the data folder, whether it answers, and what is pending.

    The exit code is 1 if nothing runs.
    """
    running = running_on(data_dir, ": its status holds passwords.")
    health = asyncio.run(health_of(running)) if running and running.url else None
    if as_json:
        said = msgspec.to_builtins(running or Status()) | {"health": msgspec.to_builtins(health)}
        click.echo(msgspec.json.format(msgspec.json.encode(said), indent=2))
    elif running and health:
        _print(running, health, data_dir)
    else:
        click.echo(nothing_runs_on(data_dir))
    sys.exit(0 if running else 1)


def _print(running: Status, health: Health, data_dir: Path) -> None:
    """Print the status for people, without passwords."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for name in ("", "port", "process", "up for", "restarts", ""):
        table.add_column(name, justify="right" if name else "left", no_wrap=True)
    for part in health.parts:
        style = "green" if part.health == READY else "bold red"
        numbers = (str(part.port or ""), str(part.pid or ""), _duration(part.up_seconds), str(part.restarts))
        table.add_row(part.name, *numbers, f"[{style}]{part.health}[/]")
    console = Console(soft_wrap=True, highlight=False)
    console.print(f"{running.url}/")
    console.print(table)
    for line in asyncio.run(lines_of_cells(running.cells)):
        console.print(line, markup=False)
    if health.backlog is None:
        console.print("What is pending is not known: PostgreSQL does not answer.")
    for each in health.backlog or ():
        letters = f"{each.dead_letters:,} dead letter{'' if each.dead_letters == 1 else 's'}"
        more = f": `{command('dead-letters list', data_dir)}`" if each.dead_letters else ""
        console.print(f"Of the kind {each.kind}, {each.pending:,} are pending, {letters}{more}.")


def _duration(seconds: float | None) -> str:
    """For people: the largest unit that is full."""
    if seconds is None:
        return ""
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= size:
            return f"{seconds // size:.0f} {unit}"
    return f"{seconds:.0f} s"
