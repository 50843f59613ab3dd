"""A stack for one measurement: `tandem up` on a data folder of its own, which is removed afterwards."""

import asyncio
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec

from tandem_lab.bench.children import last_words_in
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


@asynccontextmanager
async def own_stack(beside: Path, instances: int) -> AsyncIterator[OwnStack]:
    """Start a stack whose data is on the same disk as the folder `beside`; end and remove it afterwards.

    Raises:
        StackError: it did not start; says why. Its folder, with the logs, is kept then.
    """
    place = _new_place(beside)
    folder = open_data_folder(place / "stack")
    process = Process.start(_up(folder.path, instances, place / "up.log"))
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


def _up(data_dir: Path, instances: int, log: Path) -> Program:
    first = free_ports_in_a_row(instances)
    port = free_port(but=range(first, first + instances))
    options = ["--instances", instances, "--instance-port", first, "--port", port, "--data-dir", data_dir]
    return Program(
        command=[sys.executable, "-m", "tandem", "up", *map(str, options)],
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
    ports = [running.load_balancer.port, *(instance.port for instance in running.instances)]
    return {await http_status(port, "/health/ready") for port in ports if port is not None} == {200}
