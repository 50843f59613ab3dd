"""The two database servers as processes of the tests, which a test may kill and start again."""

import itertools
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from pymongo import AsyncMongoClient

from tandem_stack import mongodb, postgres
from tandem_stack.data_folder import open_data_folder
from tandem_stack.mongodb import MongoDB
from tandem_stack.ports import free_port
from tandem_stack.postgres import Postgres
from tandem_stack.processes import Process
from tandem_stack.services import Service

CLEAR = """
begin read write;
select pg_terminate_backend(pid, 10000) from pg_stat_activity
where datname = current_database() and pid <> pg_backend_pid();
alter database {name} reset all;
alter database {name} connection limit -1;
drop schema public cascade;
drop owned by {owner}, {service} cascade;
create schema public authorization pg_database_owner;
grant usage on schema public to public;
commit;
"""


@dataclass
class Databases:
    """A pair of databases: the owner migrates, the service has the rights that an instance has."""

    postgres_owner_url: str
    postgres_service_url: str
    mongodb_owner_url: str
    mongodb_service_url: str


class Server:
    """One server: its process is another one after each `start`."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self.process = Process.start(service.program)

    async def until_ready(self) -> None:
        await self._service.until_ready(self.process, self._service.start_patience_seconds)

    async def start(self) -> None:
        """Start it again after its end, and wait until it is ready."""
        self.process = Process.start(self._service.program)
        await self.until_ready()


class Servers(Databases):
    """Both servers; its own four URLs are those of the databases named `tandem`."""

    def __init__(self, postgres_files: Postgres, mongodb_files: MongoDB) -> None:
        self.postgres = postgres_files
        self.mongodb = mongodb_files
        self.postgres_server = Server(postgres_files.service)
        self.mongodb_server = Server(mongodb_files.service)
        self._numbers = itertools.count(1)
        self._cleared: list[Databases] = []
        super().__init__(**vars(self._urls("tandem")))

    async def new_databases(self) -> Databases:
        """A fresh database in each server, with the same rights as in a stack started by `tandem up`."""
        name = f"test_{next(self._numbers)}"
        connection = await self.postgres.connect("postgres", "postgres")
        try:
            await connection.execute(f"create database {name} owner {postgres.OWNER}")
        finally:
            await connection.close()
        await self.mongodb.make_roles(name)
        return self._urls(name)

    @asynccontextmanager
    async def lend_databases(self) -> AsyncIterator[Databases]:
        """The same, but emptied afterwards and lent again: a fifth of what making a new one costs.

        PostgreSQL makes 300 files for each, which the end of the session would have to remove again.
        """
        lent = self._cleared.pop() if self._cleared else await self.new_databases()
        yield lent
        await self._clear(lent)
        self._cleared.append(lent)

    async def _clear(self, databases: Databases) -> None:
        """Leave both as they were made; sessions of instances that were killed are ended."""
        name = databases.postgres_owner_url.rpartition("/")[2]
        connection = await self.postgres.connect("postgres", name)
        try:
            await connection.execute(CLEAR.format(owner=postgres.OWNER, service=postgres.SERVICE, name=name))
        finally:
            await connection.close()
        async with AsyncMongoClient(databases.mongodb_owner_url) as client:
            await client.drop_database(name)

    def _urls(self, database: str) -> Databases:
        return Databases(
            self.postgres.owner_url(database),
            self.postgres.service_url(database),
            self.mongodb.owner_url(database),
            self.mongodb.service_url(database),
        )


@asynccontextmanager
async def run_servers(place: Path) -> AsyncIterator[Servers]:
    """New servers with their files in `place`; killed at the end, since nothing in them is to be kept."""
    folder = open_data_folder(place / "stack")
    memory = folder.remember()
    postgres_files = Postgres(folder, memory, free_port())
    mongodb_files = MongoDB(folder, memory, free_port(), parameters=mongodb.TEST_PARAMETERS)
    await postgres_files.initialise()
    await mongodb_files.initialise()
    servers = Servers(postgres_files, mongodb_files)
    try:
        await servers.postgres_server.until_ready()
        await servers.mongodb_server.until_ready()
        await postgres_files.make_roles()
        await mongodb_files.make_roles()
        yield servers
    finally:
        # Other than when it is killed, it removes its shared memory.
        await servers.postgres_server.process.stop(signal.SIGQUIT, patience_seconds=10)
        await servers.mongodb_server.process.kill()
