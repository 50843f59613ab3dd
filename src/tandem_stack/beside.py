"""Programs beside the stack, of other packages: it starts them, and its load balancer leads to them.

Each is an entry point of the group `tandem.beside`: `NAME = "MODULE:PATH"`. It is started as
`python -m MODULE DATA_DIR PORT`, and gets all requests to the path that is the value of `PATH`, and below it.
"""

import os
import sys
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import entry_points

from tandem_stack.data_folder import DataFolder
from tandem_stack.errors import StackError
from tandem_stack.ports import LOCAL, accepts_connections, free_port
from tandem_stack.processes import Program
from tandem_stack.services import Service
from tandem_stack.status import BesideStatus
from tandem_stack.supervisor import Supervisor

GROUP = "tandem.beside"


@dataclass(frozen=True)
class Beside:
    """One such program, on a port of this machine."""

    name: str
    module: str
    path: str
    port: int

    @property
    def address(self) -> str:
        """Where it listens."""
        return f"{LOCAL}:{self.port}"

    def service(self, folder: DataFolder) -> Service:
        """How it is started, checked and ended."""

        async def is_ready() -> bool:
            return await accepts_connections(self.port)

        return Service(
            name=self.name,
            title=self.name,
            program=Program(
                command=[sys.executable, "-m", self.module, folder.path, str(self.port)],
                folder=folder.path,
                log=folder.log(self.name),
                environment=os.environ,
            ),
            is_ready=is_ready,
            stop_patience_seconds=10,
        )

    def status(self, supervisors: Mapping[str, Supervisor]) -> BesideStatus:
        """What runs of it; `supervisors` by their names."""
        supervisor = supervisors.get(self.name)
        return BesideStatus(self.name, self.port, supervisor.pid if supervisor else None)


def installed(but: Iterable[int] = ()) -> list[Beside]:
    """All that are installed, each with a free port, none of `but`."""
    taken, found = list(but), []
    for point in sorted(entry_points(group=GROUP), key=lambda point: point.name):
        taken.append(free_port(but=taken))
        found.append(Beside(point.name, point.module, point.load(), taken[-1]))
    return found


async def start_beside(
    beside: Sequence[Beside],
    folder: DataFolder,
    start: Callable[[Iterable[Service]], Awaitable[None]],
    report: Callable[[str, str], None],
) -> None:
    """Start these programs. One that does not start is reported: it is a stack without them, too."""
    try:
        await start(each.service(folder) for each in beside)
    except StackError as error:
        report("beside the stack", f"{error}; going on without it")
