"""An instance of Tandem as a service of the local stack, and the migration before it starts."""

import os
import signal
import sys
from dataclasses import dataclass

from tandem_stack.data_folder import DataFolder
from tandem_stack.errors import StackError
from tandem_stack.host import THIS_MACHINE
from tandem_stack.ports import http_status
from tandem_stack.processes import Program, how_it_ended, run_to_end
from tandem_stack.services import Service

# Longer than an instance may take to stop by itself (DRAIN_SECONDS).
STOP_SECONDS = 30
MIGRATION_SECONDS = 3600


@dataclass(frozen=True)
class DatabaseUrls:
    """The URLs of both databases for one role."""

    postgres: str
    mongodb: str


def instance(folder: DataFolder, app_id: str, port: int, urls: DatabaseUrls, **environment: str) -> Service:
    """`tandem serve` by this name, with the URLs of the service role, and more settings."""
    address = folder.host.address
    name = app_id if folder.host is THIS_MACHINE else "instance"

    async def is_ready() -> bool:
        # In a cell that takes no new users, an instance is ready for all but creates.
        return await http_status(port, "/health/ready?for=changes", address) == 200

    async def answers() -> bool:
        return await http_status(port, "/health/live", address) is not None

    own = {"APP_ID": app_id, "PORT": str(port), "HOST": address, "LOG_FORMAT": "text"}
    return Service(
        name=name,
        title=app_id,
        program=_tandem(folder, name, "serve", urls, **own, **environment),
        is_ready=is_ready,
        answers=answers,
        stop_signal=signal.SIGTERM,
        stop_patience_seconds=STOP_SECONDS,
    )


async def migrate(folder: DataFolder, name: str, urls: DatabaseUrls, **environment: str) -> None:
    """Bring both databases up to date with `tandem migrate`, as their owner. `name` is that of its log.

    Raises:
        StackError: it failed; with the last sentence of `tandem migrate`.
    """
    program = _tandem(folder, name, "migrate", urls, **environment)
    start = program.log.stat().st_size if program.log.exists() else 0
    exit_code = await run_to_end(program, MIGRATION_SECONDS)
    if exit_code != 0:
        said = program.log.read_bytes()[start:].decode(errors="replace").strip().splitlines()
        reason = said[-1].removeprefix("Error: ") if said else how_it_ended(exit_code)
        msg = f"The databases could not be migrated: {reason} (log: {program.log})"
        raise StackError(msg)


def _tandem(folder: DataFolder, name: str, command: str, urls: DatabaseUrls, **environment: str) -> Program:
    """A command of `tandem`. URLs contain passwords, so they are passed in the environment."""
    return Program(
        command=[sys.executable, "-m", "tandem", command],
        folder=folder.path if folder.host is THIS_MACHINE else folder.of_host,
        log=folder.log(name),
        host=folder.host,
        environment={**os.environ, "POSTGRES_URL": urls.postgres, "MONGODB_URL": urls.mongodb, **environment},
    )
