"""A stack for one measurement: `tandem up` on a data folder of its own, which is removed afterwards."""

import asyncio
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import msgspec

from tandem_lab.bench.children import last_words_in
from tandem_lab.delay import delaying
from tandem_stack.data_folder import open_data_folder
from tandem_stack.errors import StackError
from tandem_stack.ports import free_port, free_ports_in_a_row, http_status
from tandem_stack.processes import Process, Program
from tandem_stack.status import Status, read_status
from tandem_stack.waiting import until

START_SECONDS, STOP_SECONDS = 180.0, 180.0


class OwnStack(msgspec.Struct, frozen=True):
    """A running stack, and its data folder."""

    running: Status
    data_dir: Path


class HostOptions(msgspec.Struct, frozen=True):
    """Of a stack of several hosts; see `tandem up --hosts`. None: as that command would choose."""

    cells: int | None = None
    hosts_per_cell: int | str | None = None
    cpu_per_cell: float | None = None
    #: Whether commits of PostgreSQL wait for no standby, so that a failover may lose some of them.
    asynchronous: bool = False

    def words(self) -> list[str]:
        """As words of the command."""
        given = {
            "--cells": self.cells,
            "--hosts-per-cell": self.hosts_per_cell,
            "--cpu-per-cell": self.cpu_per_cell,
        }
        words = ["--hosts", *(["--asynchronous"] if self.asynchronous else [])]
        return words + [word for name, value in given.items() if value for word in (name, str(value))]


def own_stack(
    beside: Path, instances: int, options: Sequence[str] = ()
) -> AbstractAsyncContextManager[OwnStack]:
    """Start a stack whose data is on the same disk as the folder `beside`; end and remove it afterwards.

    `options` are more words of `tandem up`.

    Raises:
        StackError: it did not start; says why. Its folder, with the logs, is kept then.
    """
    first = free_ports_in_a_row(instances)
    port = free_port(but=range(first, first + instances))
    ours = ("--instances", instances, "--instance-port", first, "--port", port)
    return _own(beside, [*map(str, ours), *options])


@asynccontextmanager
async def delayed_stack(beside: Path, instances: int, delays: Mapping[str, float]) -> AsyncIterator[OwnStack]:
    """The same, whose instances reach databases over relays that take so many seconds, by the server's name.

    Raises:
        StackError, LabError: it did not start, or the relay did not.
    """
    first = free_ports_in_a_row(len(delays))
    ports = dict(zip(delays, range(first, first + len(delays)), strict=True))
    async with delaying({ports[name]: seconds for name, seconds in delays.items()}) as ways:
        words = [(f"--{name}-port", port, f"--{name}-via", ways[port]) for name, port in ports.items()]
        async with own_stack(beside, instances, [str(word) for each in words for word in each]) as own:
            yield own


def own_hosts(beside: Path, options: HostOptions) -> AbstractAsyncContextManager[OwnStack]:
    """The same with a stack of several hosts.

    Raises:
        StackError: see `own_stack`.
    """
    return _own(beside, [*options.words(), "--port", str(free_port())])


@asynccontextmanager
async def _own(beside: Path, options: Sequence[str]) -> AsyncIterator[OwnStack]:
    place = _new_place(beside)
    folder = open_data_folder(place / "stack")
    process = Process.start(_up(folder.path, options, place / "up.log"))
    done_with = [folder.servers, place]
    try:
        yield OwnStack(await _until_it_runs(process, folder.path, place / "up.log"), folder.path)
    except StackError:
        done_with.clear()
        raise
    finally:
        await process.stop(signal.SIGTERM, STOP_SECONDS)
        for path in done_with:
            await asyncio.to_thread(shutil.rmtree, path, ignore_errors=True)


def address_of(running: Status) -> str:
    """Where the load of a stack goes: to the only instance, or to the load balancer in front of several."""
    if len(running.instances) == 1:
        return f"http://127.0.0.1:{running.instances[0].port}"
    return str(running.url)


def _new_place(beside: Path) -> Path:
    """A new folder beside that one, through which the servers' account can pass."""
    beside.parent.mkdir(parents=True, exist_ok=True)
    place = Path(tempfile.mkdtemp(prefix=f"{beside.name}-lab-", dir=beside.parent))
    place.chmod(0o711)
    return place


def _up(data_dir: Path, options: Sequence[str], log: Path) -> Program:
    return Program(
        command=[sys.executable, "-m", "tandem", "up", "--no-desk", *options, "--data-dir", str(data_dir)],
        folder=data_dir.parent,
        log=log,
        environment=os.environ,
    )


async def _until_it_runs(process: Process, data_dir: Path, log: Path) -> Status:
    async def runs_or_has_ended() -> bool:
        return process.exit_code is not None or await _is_ready(read_status(data_dir))

    if not await until(runs_or_has_ended, START_SECONDS):
        raise StackError(f"The stack for this measurement was not ready in {START_SECONDS:.0f} s.")
    running = read_status(data_dir)
    if process.exit_code is not None or running is None:
        raise StackError(f"The stack for this measurement did not start. {last_words_in(log)}")
    return running


async def _is_ready(running: Status | None) -> bool:
    if running is None or running.load_balancer.pid is None or not running.instances:
        return False
    statuses = {await http_status(each.port, "/health/ready", each.address) for each in running.instances}
    return statuses == {200} and await http_status(running.load_balancer.port or 0, "/health/ready") == 200
