"""What commands have in common: which stack they mean, and how Ctrl-C ends them."""

import asyncio
import signal
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar

import click

from tandem.local_stack.status import Status, read_status

INTERRUPTED = 130  # the exit code of what Ctrl-C ended

T = TypeVar("T")


def data_dir_option(what: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """The option `--data-dir`, whose value is absolute; `what` says what the command does there."""
    return click.option(
        "--data-dir",
        type=click.Path(path_type=Path),
        default=Path(".tandem"),
        show_default=True,
        callback=lambda _context, _option, folder: folder.expanduser().absolute(),
        help=what,
    )


def running_on(data_dir: Path, instead: str) -> Status | None:
    """The stack that runs on that folder; None where none does.

    Raises:
        ClickException: it is somebody else's, and `instead` says what that means here.
    """
    try:
        return read_status(data_dir)
    except PermissionError:
        msg = f"The stack on {data_dir} is somebody else's{instead}"
        raise click.ClickException(msg) from None


async def interruptible(work: Coroutine[Any, Any, T]) -> T:
    """Carry it out; SIGTERM interrupts it as Ctrl-C does."""
    task = asyncio.current_task()
    assert task is not None  # noqa: S101 - narrows the type: uvloop.run has made one
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    return await work
