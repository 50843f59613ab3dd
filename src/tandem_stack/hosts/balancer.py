"""HAProxy as a service of the local stack: in front of the instances of all cells."""

import os
import signal
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tandem_stack.beside import Beside
from tandem_stack.data_folder import DataFolder, write_private
from tandem_stack.haproxy import CellInstances, configuration, slots_map
from tandem_stack.hosts.cell import INSTANCE_PORT, Cell
from tandem_stack.hosts.desired import Desired
from tandem_stack.ports import LOCAL, http_status
from tandem_stack.processes import Program, children, plain_environment, run_to_end
from tandem_stack.programs import find_program
from tandem_stack.services import Service, failure
from tandem_stack.waiting import until

RELOAD_SECONDS = 20.0
# More than `hard-stop-after` in its configuration.
LAST_CONNECTION_SECONDS = 35.0


@dataclass(frozen=True)
class HAProxy:
    """The load balancer on `port`."""

    folder: DataFolder
    port: int
    beside: Sequence[Beside] = ()

    @property
    def service(self) -> Service:
        """How it is started, checked and ended. Its first process reads a new configuration when asked to."""
        return Service(
            name="haproxy",
            title="HAProxy",
            program=self._program("-W"),
            is_ready=self._is_ready,
            stop_signal=signal.SIGUSR1,  # accepts no new connections, then answers what is in flight
            stop_patience_seconds=10,
        )

    async def configure(self, cells: Sequence[Cell], desired: Desired) -> None:
        """Write the configuration.

        Raises:
            StackError: HAProxy would not take it.
        """
        behind = [
            CellInstances(
                number=cell.number,
                addresses=[f"{host.address}:{INSTANCE_PORT}" for host in cell.instance_hosts],
                draining=desired.by_number[cell.number].draining,
            )
            for cell in cells
        ]
        slots = self._file.with_name("slots.map")
        write_private(slots, slots_map(desired.slots).encode())
        write_private(self._file, configuration(f"{LOCAL}:{self.port}", behind, slots, self.beside).encode())
        self.folder.hand_over(slots)
        self.folder.hand_over(self._file)
        if await run_to_end(self._program("-c"), RELOAD_SECONDS) != 0:
            raise failure("HAProxy does not take its new configuration", self._program("-c"))

    async def reload(self, pid: int) -> None:
        """Let the running HAProxy, whose first process this is, take the configuration. No request is lost.

        Connections that were open may go by the configuration from before until this returns.

        Raises:
            StackError: it did not.
        """
        before = set(children(pid))
        os.kill(pid, signal.SIGUSR2)

        async def has_new_worker() -> bool:
            return bool(set(children(pid)) - before)

        if not await until(has_new_worker, RELOAD_SECONDS):
            raise failure("HAProxy did not take its new configuration", self._program("-W"))

        async def have_old_workers_ended() -> bool:
            return not before & set(children(pid))

        await until(have_old_workers_ended, LAST_CONNECTION_SECONDS)

    def _program(self, how: str) -> Program:
        return Program(
            command=[find_program("haproxy", "haproxy"), how, "-f", self._file],
            folder=self._file.parent,
            log=self.folder.log("haproxy"),
            user=self.folder.user,
            environment=plain_environment(),
        )

    @property
    def _file(self) -> Path:
        return self.folder.folder_for_server("haproxy") / "haproxy.cfg"

    async def _is_ready(self) -> bool:
        return await http_status(self.port, "/health/ready") == 200
