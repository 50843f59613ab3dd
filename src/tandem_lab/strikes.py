"""What may happen to the parts of a running stack, for proofs and for the desk: the bare strikes."""

import os
import signal
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import psutil

from tandem_stack.ports import http_status
from tandem_stack.processes import children
from tandem_stack.status import Status, read_status
from tandem_stack.waiting import until

# How long to wait until a process is gone or stopped, which usually takes milliseconds.
STRIKE_SECONDS = 10.0
SERVERS = {"postgres": "PostgreSQL", "mongodb": "MongoDB"}


class Parts:
    """The processes of the stack that runs on a data folder; none without one."""

    def __init__(self, data_dir: Path | None) -> None:
        self._data_dir = data_dir

    def status(self) -> Status:
        """What runs now."""
        return (read_status(self._data_dir) if self._data_dir else None) or Status()

    def pids(self) -> dict[str, int]:
        """The process id of every part that `tandem up` runs, by its name. A part that is down is missing."""
        status = self.status()
        parts = {instance.app_id: instance.pid for instance in status.instances}
        parts |= {"postgres": status.postgres.pid, "mongodb": status.mongodb.pid}
        return {name: pid for name, pid in parts.items() if pid is not None}

    def instances(self) -> list[str]:
        """The names of the running instances of `tandem up`."""
        return [name for name in self.pids() if name not in SERVERS]

    async def is_back(self, part: str, old_pid: int) -> bool:
        """Whether a part that was ended runs again, as another process, and is ready."""
        return self.pids().get(part, old_pid) != old_pid and await self.is_ready(part)

    async def is_ready(self, part: str) -> bool:
        """Whether an instance accepts commands. For a database always true: the flow will show it."""
        for instance in self.status().instances:
            if instance.app_id == part:
                return await http_status(instance.port, "/health/ready", instance.address) == 200
        return True


async def end(pid: int, number: signal.Signals, patience_seconds: float) -> bool:
    """End a process by a signal. Returns whether it was gone in time.

    Raises:
        ProcessLookupError: it had ended before.
    """
    os.kill(pid, number)
    return await until(lambda: is_in_state(pid, None), patience_seconds)


@contextmanager
def stopped(pid: int) -> Iterator[None]:
    """Stop a process (SIGSTOP) during the block. After the block it goes on, even if the block failed."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        go_on(pid)


@contextmanager
def stopped_with_children(pid: int) -> Iterator[None]:
    """The same with all its descendants: the sessions of a PostgreSQL would answer without it."""
    with ExitStack() as stack:
        stack.enter_context(stopped(pid))
        for child in children(pid, recursive=True):
            with suppress(ProcessLookupError):  # it has just ended
                stack.enter_context(stopped(child))
        yield


def go_on(pid: int) -> None:
    """Let a process go on that may be stopped."""
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGCONT)


def process_state(pid: int) -> str | None:
    """The state of a process, such as `psutil.STATUS_STOPPED`, or None if it has ended."""
    try:
        state = psutil.Process(pid).status()
    except psutil.NoSuchProcess:
        return None
    return None if state in {psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD} else state


async def is_in_state(pid: int, state: str | None) -> bool:
    """Whether a process is in this state; None: whether it has ended."""
    return process_state(pid) == state
