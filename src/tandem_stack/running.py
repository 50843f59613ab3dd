"""Finds the stack that a command means: the one that runs on its `--data-dir`."""

import os
import shlex
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from tandem_stack.errors import StackError
from tandem_stack.status import Status, read_status

DATA_DIR_VARIABLE = "TANDEM_DATA_DIR"
_DEFAULT = ".tandem"


def data_dir_option(what: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """The option `--data-dir` (or TANDEM_DATA_DIR), as an absolute path. `what` is its help."""
    return click.option(
        "--data-dir",
        type=click.Path(path_type=Path),
        default=Path(_DEFAULT),
        show_default=True,
        envvar=DATA_DIR_VARIABLE,
        show_envvar=True,
        callback=lambda _context, _option, folder: folder.expanduser().absolute(),
        help=what,
    )


def command(words: str, data_dir: Path) -> str:
    """`tandem` with these words, as it can be pasted here: a shell finds it, and it means this folder."""
    program = Path(sys.executable).with_name("tandem")
    if shutil.which("tandem") not in {None, str(program)} or not os.access(program, os.X_OK):
        start = f"{shlex.quote(sys.executable)} -m tandem"
    else:
        start = "tandem" if shutil.which("tandem") else _shown(program)
    by_default = Path(os.environ.get(DATA_DIR_VARIABLE) or _DEFAULT).expanduser().absolute()
    where = "" if data_dir == by_default else f" --data-dir {_shown(data_dir)}"
    return f"{start} {words}{where}"


def _shown(path: Path) -> str:
    """A path for a shell in this folder, as short as it can be."""
    here = Path.cwd()
    return shlex.quote(str(path.relative_to(here) if path.is_relative_to(here) else path))


def nothing_runs_on(data_dir: Path, start: str = "up", or_else: str = "") -> str:
    """The sentence that no stack runs there, with what starts one, and what else can be done."""
    what = "stack of hosts" if "--hosts" in start else "stack"
    return f"No {what} is running on {data_dir}. Start one with `{command(start, data_dir)}`{or_else}."


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
        raise StackError(nothing_runs_on(data_dir, or_else=", or name an address with --url"))
    return running.url


def running_databases(data_dir: Path) -> tuple[str, str]:
    """The owner's URLs of PostgreSQL and MongoDB of the stack that runs on that folder.

    Raises:
        StackError: none is running, it is just starting, it has several cells, or it is somebody else's.
    """
    running = running_on(data_dir, ". Name its databases by POSTGRES_URL and MONGODB_URL.")
    if running is None:
        raise StackError(nothing_runs_on(data_dir, or_else=", or name both databases"))
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
