"""Finds the stack that a command means: the one that runs on its `--data-dir`."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from tandem_stack.errors import StackError
from tandem_stack.status import Status, read_status


def data_dir_option(what: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """The option `--data-dir`, as an absolute path. `what` is its help."""
    return click.option(
        "--data-dir",
        type=click.Path(path_type=Path),
        default=Path(".tandem"),
        show_default=True,
        callback=lambda _context, _option, folder: folder.expanduser().absolute(),
        help=what,
    )


def running_on(data_dir: Path, instead: str) -> Status | None:
    """The stack that runs on that folder; None if none does.

    Raises:
        StackError: it belongs to another account; `instead` is the end of that sentence.
    """
    try:
        return read_status(data_dir)
    except PermissionError:
        msg = f"The stack on {data_dir} is somebody else's{instead}"
        raise StackError(msg) from None


def running_url(data_dir: Path) -> str:
    """The address of the stack that runs on that folder.

    Raises:
        StackError: none is running, or it belongs to another account.
    """
    running = running_on(data_dir, ". Name its address with --url.")
    if running is None or running.url is None:
        msg = f"No stack is running on {data_dir}. Start one with `tandem up`, or name an address with --url."
        raise StackError(msg)
    return running.url


def running_databases(data_dir: Path) -> tuple[str, str]:
    """The owner's URLs of PostgreSQL and MongoDB of the stack that runs on that folder.

    Raises:
        StackError: none is running, it is just starting, it has several cells, or it is somebody else's.
    """
    running = running_on(data_dir, ". Name its databases by POSTGRES_URL and MONGODB_URL.")
    if running is None:
        msg = f"No stack is running on {data_dir}. Start one with `tandem up`, or name both databases."
        raise StackError(msg)
    if len(running.cells) > 1:
        msg = (
            f"The stack on {data_dir} has several cells. Name both databases of one: "
            "`tandem status --json` has their addresses."
        )
        raise StackError(msg)
    if running.postgres.url is None or running.mongodb.url is None:
        msg = f"The stack on {data_dir} is just starting. Try again when it is ready."
        raise StackError(msg)
    return running.postgres.url, running.mongodb.url
