"""Starts, waits for and ends all programs of the local stack."""

import asyncio
import ctypes
import os
import signal
import subprocess
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Self

import psutil

from tandem_stack.host import THIS_MACHINE, Host
from tandem_stack.server_user import ServerUser

SERVER_PROGRAMS = {"postgres", "mongod", "nginx", "etcd", "haproxy", "initdb", "pg_basebackup", "pg_rewind"}

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
_libc = ctypes.CDLL(None, use_errno=True)

# The variables that a server gets. PGDATA, PGPORT and the like must not reach PostgreSQL.
_PASSED_ON = ("PATH", "LD_LIBRARY_PATH")


def plain_environment() -> dict[str, str]:
    """The environment of a server, which is the same wherever it is started."""
    return {name: os.environ[name] for name in _PASSED_ON if name in os.environ} | {"LC_ALL": "C"}


@dataclass(frozen=True, kw_only=True)
class Program:
    """What to start, and how. Its output is appended to `log`. Secrets may only be in `environment`."""

    command: Sequence[str | Path]
    folder: Path
    log: Path
    user: ServerUser | None = None
    host: Host = THIS_MACHINE
    environment: Mapping[str, str] = field(default_factory=plain_environment)


class Process:
    """A running program. The kernel kills it when the process that started it dies.

    Start it inside a running event loop and in the main thread, because the kernel watches that thread.
    """

    running: ClassVar[set[int]] = set()

    def __init__(self, popen: subprocess.Popen[bytes]) -> None:
        self._popen = popen
        self.running.add(popen.pid)
        self._exited = asyncio.Event()
        self._pidfd = os.pidfd_open(popen.pid)
        asyncio.get_running_loop().add_reader(self._pidfd, self._reap)

    @classmethod
    def start(cls, program: Program) -> Self:
        """Start `program`.

        Raises:
            OSError: it cannot be executed, or its log cannot be written.
        """
        with program.log.open("ab") as log:
            popen = subprocess.Popen(
                list(map(str, program.command)),
                cwd=program.folder,
                env=dict(program.environment),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C must not reach it: the supervisor ends the services in order
                preexec_fn=_prepare(program, os.getpid()),  # noqa: PLW1509 - there are no other threads
            )
        return cls(popen)

    @property
    def pid(self) -> int:
        """The process id."""
        return self._popen.pid

    @property
    def exit_code(self) -> int | None:
        """The exit code, the negated signal that ended it, or None while it runs."""
        return self._popen.returncode

    async def wait(self) -> int:
        """Wait for the end; returns the exit code, negative for a signal."""
        await self._exited.wait()
        return self._popen.returncode

    def send_signal(self, number: signal.Signals) -> None:
        """Send a signal, if it still runs."""
        if self.exit_code is None:
            self._popen.send_signal(number)

    async def stop(self, number: signal.Signals, patience_seconds: float) -> bool:
        """Ask it to end, and kill it after `patience_seconds`. Returns whether it ended by itself."""
        self.send_signal(number)
        self._wake()
        try:
            await asyncio.wait_for(self.wait(), patience_seconds)
        except TimeoutError:
            await self.kill()
            return False
        return True

    async def kill(self) -> None:
        """Kill it and all its descendants, now."""
        if self.exit_code is None:
            kill_tree(self.pid)
        await self.wait()

    def _wake(self) -> None:
        """Continue processes that were stopped (SIGSTOP). Otherwise they would not get the signal to end."""
        if self.exit_code is None:
            for pid in (self.pid, *children(self.pid, recursive=True)):
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGCONT)

    def _reap(self) -> None:
        self._popen.wait()
        self.running.discard(self.pid)
        asyncio.get_running_loop().remove_reader(self._pidfd)
        os.close(self._pidfd)
        self._exited.set()


async def run_to_end(program: Program, patience_seconds: float) -> int:
    """Run a program that ends by itself, for at most `patience_seconds`. Returns its exit code."""
    process = Process.start(program)
    try:
        return await asyncio.wait_for(process.wait(), patience_seconds)
    except TimeoutError:
        return -signal.SIGKILL
    finally:
        await process.kill()


def how_it_ended(exit_code: int) -> str:
    """An exit code in words."""
    if exit_code < 0:
        return f"was killed by {signal.Signals(-exit_code).name}"
    return f"ended with exit code {exit_code}"


def kill_tree(root: int) -> None:
    """Kill a process and its descendants. Each is stopped first, so that it cannot start more children."""
    with suppress(psutil.NoSuchProcess):
        process = psutil.Process(root)
        process.suspend()
        for child in process.children():
            kill_tree(child.pid)
        process.kill()


def children(root: int, *, recursive: bool = False) -> list[int]:
    """The process ids of the children of `root`, and with `recursive` of all its descendants."""
    try:
        return [child.pid for child in psutil.Process(root).children(recursive=recursive)]
    except psutil.NoSuchProcess:
        return []


def kill_children(but: Collection[int] = (), below: Path | None = None) -> None:
    """Kill our children except those in `but`, with all their descendants, and wait until they are gone.

    After `adopt_orphans`, this includes processes whose parent has died. With `below`, only those go that
    work below this folder.
    """
    while left := set(children(os.getpid())).difference(but):
        if below:
            left = {child for child in left if works_below(child, below)}
        if not left:
            return
        for child in left:
            kill_tree(child)
            with suppress(ChildProcessError):
                os.waitpid(child, 0)


def reap(but: Collection[int] = ()) -> None:
    """Let children that have ended by themselves be gone, except those in `but`, which others wait for."""
    for child in set(children(os.getpid())).difference(but):
        with suppress(ChildProcessError):
            os.waitpid(child, os.WNOHANG)


def works_below(pid: int, folder: Path) -> bool:
    """Whether there is such a process, and its current folder is `folder` or below it."""
    with suppress(psutil.Error):
        return Path(psutil.Process(pid).cwd()).is_relative_to(folder)
    return False


def end_leftovers(folder: Path) -> None:
    """Kill servers of an earlier run that work below `folder`, and wait until they are gone.

    There are some only if all processes that watch them were killed at once.
    """
    while leftovers := _servers_below(folder):
        for process in leftovers:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(leftovers, timeout=1)


def _servers_below(folder: Path) -> list[psutil.Process]:
    # For processes of other accounts, neither folder nor program can be read.
    return [
        process
        for process in psutil.process_iter(["cwd", "exe"])
        if process.info["cwd"] and Path(process.info["cwd"]).is_relative_to(folder)
        if Path(process.info["exe"] or "").name in SERVER_PROGRAMS
    ]


def adopt_orphans() -> None:
    """From now on, descendants whose parent dies become our children, so that none is lost."""
    _libc.prctl(PR_SET_CHILD_SUBREAPER, 1)


def signal_on_parents_death(number: signal.Signals, parent: int) -> bool:
    """Let the kernel send us a signal when our parent ends. Returns False if it has already ended."""
    _libc.prctl(PR_SET_PDEATHSIG, int(number))
    return os.getppid() == parent


def _prepare(program: Program, parent: int) -> Callable[[], None]:
    """A function for the child before exec: it enters its host, and gives up all rights but its account's."""
    user, enter = program.user, program.host.enter

    def prepare() -> None:
        if enter:
            enter()
        if user:
            os.setgroups([])
            os.setgid(user.gid)
            os.setuid(user.uid)
        # Last, because a change of account clears it.
        if not signal_on_parents_death(signal.SIGKILL, parent):
            os._exit(1)

    return prepare
