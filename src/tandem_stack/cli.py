"""`tandem up`, `tandem down` and `tandem status`: the local stack."""

import asyncio
import sys
from pathlib import Path
from typing import Any

import click
import msgspec
from click.core import ParameterSource
from rich.console import Console

from tandem_stack.data_folder import DataFolder
from tandem_stack.display import Display
from tandem_stack.down import end_stack
from tandem_stack.hosts.desired import MOST_INSTANCE_HOSTS
from tandem_stack.hosts.hosts_stack import HostsStack
from tandem_stack.hosts.options import HostsOptions
from tandem_stack.hosts.quota import LEAST_CORES
from tandem_stack.hosts.text import lines_of_cells
from tandem_stack.running import data_dir_option, running_on
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
    display = Display(Console())
    chosen = {"data_dir": data_dir, "port": port, "beside": not no_desk} | {
        name: options[name] for name in mine
    }

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
    """Say what runs on the data folder. The exit code is 1 if nothing does."""
    running = running_on(data_dir, ": its status holds passwords.")
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(running or Status()), indent=2))
    elif running:
        _print(running)
    else:
        click.echo(f"No stack is running on {data_dir}. Start one with `tandem up`.")
    sys.exit(0 if running else 1)


def _print(running: Status) -> None:
    """Print the status for people, without passwords."""
    click.echo(f"{running.url}/")
    if running.cells:
        rows = [("HAProxy", running.load_balancer.pid)]
    else:
        rows = [(instance.app_id, instance.pid) for instance in running.instances]
        rows += [("PostgreSQL", running.postgres.pid), ("MongoDB", running.mongodb.pid)]
        rows += [("nginx", running.load_balancer.pid)]
    rows += [(each.name, each.pid) for each in running.beside]
    for name, pid in rows:
        click.echo(f"  {name:12} {f'process {pid}' if pid else 'down'}")
    for line in asyncio.run(lines_of_cells(running.cells)):
        click.echo(line)
