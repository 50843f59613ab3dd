"""`tandem up`, `tandem down` and `tandem status`: the local stack."""

import sys
from pathlib import Path
from typing import Any

import click
import msgspec
from rich.console import Console

from tandem_stack.display import Display
from tandem_stack.down import end_stack
from tandem_stack.running import data_dir_option, running_on
from tandem_stack.stack import Options
from tandem_stack.status import Status
from tandem_stack.up import run_stack

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
def up(**options: Any) -> None:
    """Run the whole stack on 127.0.0.1 until Ctrl-C: databases, instances, load balancer.

    Whatever dies is started again. The data is kept, and used by the next `tandem up`.
    """
    sys.exit(run_stack(Options(**options), Display(Console())))


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
    rows = [(instance.app_id, instance.pid) for instance in running.instances]
    rows += [("PostgreSQL", running.postgres.pid), ("MongoDB", running.mongodb.pid)]
    rows += [("nginx", running.load_balancer.pid)]
    for name, pid in rows:
        click.echo(f"  {name:12} {f'process {pid}' if pid else 'down'}")
