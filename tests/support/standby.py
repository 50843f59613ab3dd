"""A standby of a test's PostgreSQL: it follows, can be made to lag, and takes over."""

import dataclasses
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from servers import Server, Servers
from tandem_stack.data_folder import open_data_folder
from tandem_stack.ports import free_port
from tandem_stack.postgres import Postgres
from tandem_stack.processes import run_to_end
from waiting import until


@dataclass
class Standby:
    """A server that was copied from another."""

    files: Postgres
    server: Server

    @property
    def port(self) -> int:
        return self.files.port

    async def until_it_has(self, database: str, users: int) -> None:
        """Wait until it has replayed so many users."""

        async def has() -> bool:
            return await self._ask(database, "select count(*) from prm_user") == users

        await until(has, f"{users} users at the standby")

    async def stop_following(self) -> None:
        """Receive nothing more of what the primary commits."""
        await self._ask("postgres", "alter system set primary_conninfo = ''")
        await self._ask("postgres", "select pg_reload_conf()")

        async def is_alone() -> bool:
            return not await self._ask("postgres", "select count(*) from pg_stat_wal_receiver")

        await until(is_alone, "no more WAL comes")

    async def promote(self) -> None:
        """Make it a primary, on a timeline of its own."""
        assert await self._ask("postgres", "select pg_promote()")

    async def _ask(self, database: str, sql: str) -> int:
        connection = await self.files.connect("postgres", database)
        try:
            return await connection.fetchval(sql)
        finally:
            await connection.close()


@asynccontextmanager
async def standby_of(servers: Servers, place: Path) -> AsyncIterator[Standby]:
    """A copy of the servers' PostgreSQL that follows it, asynchronously (pg_basebackup)."""
    files = await copy_cluster(servers.postgres, place / "standby", "--write-recovery-conf")
    async with started(files) as server:
        yield Standby(files, server)


@asynccontextmanager
async def started(files: Postgres) -> AsyncIterator[Server]:
    """The server that runs on these files."""
    server = Server(files.service)
    try:
        await server.until_ready()
        yield server
    finally:
        await server.process.kill()


async def copy_cluster(source: Postgres, place: Path, *options: str) -> Postgres:
    """Files of a server of its own, made from the running `source` in the folder `place`."""
    copy = dataclasses.replace(source, folder=open_data_folder(place), port=free_port())
    program = copy._program(
        "pg_basebackup",
        "--pgdata",
        copy._cluster,
        "--wal-method=stream",
        "--checkpoint=fast",
        "--dbname",
        source.url("postgres", "postgres"),
        *options,
    )
    exit_code = await run_to_end(program, patience_seconds=120)
    assert exit_code == 0, program.log.read_text()
    return copy
