"""`tandem up` from its first check to its last process."""

import asyncio
import os
import resource
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from tandem_stack.data_folder import DataFolder, hold, holder, open_data_folder
from tandem_stack.display import Display
from tandem_stack.errors import StackError
from tandem_stack.running import command
from tandem_stack.watchdog import run_watched, watchdog_is_gone

# How many files and connections each process may have open, if the machine allows it.
MAX_OPEN_FILES = 65_536
# How long an orderly end may take when the watchdog was killed, because then nothing waits for it.
ORPHANED_SECONDS = 5.0


class AnyStack(Protocol):
    """A stack, on this machine alone or on several hosts."""

    @property
    def data_dir(self) -> Path:
        """The data folder."""

    @property
    def url(self) -> str:
        """The address of the load balancer."""

    async def start(self) -> None:
        """Start everything, and return when all of it is ready."""

    async def stop(self, hurry: asyncio.Event) -> None:
        """End everything in order; at once when `hurry` is set."""

    def clean_up(self) -> None:
        """When every process has ended: take away what else was made."""


def run_stack(make: Callable[[DataFolder], AnyStack], data_dir: Path, display: Display) -> int:
    """Run the stack until a signal asks it to end. Returns the exit code when every process has ended.

    Raises:
        StackError: the data folder cannot be used, or another stack is running on it.
    """
    folder = open_data_folder(data_dir)
    if not hold(folder.path):
        msg = (
            f"A stack is running on {folder.path} already (process {holder(folder.path)}). "
            f"End it with `{command('down', data_dir)}`, or name another folder with --data-dir."
        )
        raise StackError(msg)
    watchdog = os.getpid()
    stack = make(folder)
    exit_code = run_watched(lambda: asyncio.run(_supervise(stack, display, watchdog)))
    stack.clean_up()
    if exit_code < 0:
        msg = f"The supervisor was ended by signal {-exit_code}; all that it had started has been ended too."
        raise StackError(msg)
    return exit_code


async def _supervise(stack: AnyStack, display: Display, watchdog: int) -> int:
    """Start the stack, wait for a signal to end, and end it."""
    _allow_many_open_files()
    stop, hurry = asyncio.Event(), asyncio.Event()
    _listen_for_signals(stop, hurry, watchdog)
    starting = asyncio.create_task(stack.start())
    stopping = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({starting, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if starting.done():
            starting.result()
            display.running(stack.url, stack.data_dir)
            await stopping
        return 0
    except StackError as error:
        display.failed(str(error))
        return 1
    except OSError as error:
        display.failed(
            f"{error.strerror or error}: {error.filename or stack.data_dir}. Free or fix it, and try again."
        )
        return 1
    finally:
        display.end_table()
        starting.cancel()
        await asyncio.wait({starting})
        await stack.stop(hurry)


def _listen_for_signals(stop: asyncio.Event, hurry: asyncio.Event, watchdog: int) -> None:
    """The first signal asks for an orderly end, the second for a quick one."""
    loop = asyncio.get_running_loop()

    def on_signal() -> None:
        (hurry if stop.is_set() else stop).set()
        if watchdog_is_gone(watchdog):
            loop.call_later(ORPHANED_SECONDS, hurry.set)

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        loop.add_signal_handler(number, on_signal)


def _allow_many_open_files() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = MAX_OPEN_FILES if hard == resource.RLIM_INFINITY else min(hard, MAX_OPEN_FILES)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
