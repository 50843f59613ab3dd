"""HAProxy as a service of the local stack: in front of the instances of all cells."""

import os
import signal
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from string import Template

from tandem_stack.data_folder import DataFolder, write_private
from tandem_stack.hosts.cell import INSTANCE_PORT, Cell
from tandem_stack.hosts.desired import Desired
from tandem_stack.ports import LOCAL, http_status
from tandem_stack.processes import Program, children, plain_environment, run_to_end
from tandem_stack.programs import find_program
from tandem_stack.services import Service, failure
from tandem_stack.waiting import until

RELOAD_SECONDS = 20.0


@dataclass(frozen=True)
class HAProxy:
    """The load balancer on `port`."""

    folder: DataFolder
    port: int

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
        write_private(self._file, _configuration(f"{LOCAL}:{self.port}", cells, desired).encode())
        self.folder.hand_over(self._file)
        if await run_to_end(self._program("-c"), RELOAD_SECONDS) != 0:
            raise failure("HAProxy does not take its new configuration", self._program("-c"))

    async def reload(self, pid: int) -> None:
        """Let the running HAProxy, whose first process this is, take the configuration. No request is lost.

        Raises:
            StackError: it did not.
        """
        before = set(children(pid))
        os.kill(pid, signal.SIGUSR2)

        async def has_new_worker() -> bool:
            return bool(set(children(pid)) - before)

        if not await until(has_new_worker, RELOAD_SECONDS):
            raise failure("HAProxy did not take its new configuration", self._program("-W"))

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


def _configuration(listen: str, cells: Sequence[Cell], _desired: Desired) -> str:
    """HAProxy's configuration for these cells."""
    lines = [
        f"server {host.name} {host.address}:{INSTANCE_PORT}" for cell in cells for host in cell.instance_hosts
    ]
    template = Template(files("tandem_stack").joinpath("haproxy.cfg.template").read_text())
    return template.substitute(
        LISTEN=listen, INSTANCES="\n    ".join(lines), CLIENT_RATE=1_000_000, CLIENT_CONNECTIONS=4_000
    )
