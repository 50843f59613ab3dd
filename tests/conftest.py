"""Real servers for all tests: one PostgreSQL and one MongoDB a session, fresh databases for who asks."""

import itertools
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tandem.local_stack import mongodb, postgres
from tandem.local_stack.data_folder import open_data_folder
from tandem.local_stack.mongodb import MongoDB
from tandem.local_stack.ports import free_port
from tandem.local_stack.postgres import Postgres
from tandem.local_stack.processes import Process


@dataclass
class Databases:
    """A pair of databases: the owner migrates, the service has the rights that an instance has."""

    postgres_owner_url: str
    postgres_service_url: str
    mongodb_owner_url: str
    mongodb_service_url: str


class Servers(Databases):
    """The two servers of this test session; its own four URLs are those of the databases named `tandem`."""

    def __init__(self, postgres_server: Postgres, mongodb_server: MongoDB) -> None:
        self.postgres = postgres_server
        self.mongodb = mongodb_server
        self._numbers = itertools.count(1)
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

    def _urls(self, database: str) -> Databases:
        return Databases(
            self.postgres.owner_url(database),
            self.postgres.service_url(database),
            self.mongodb.owner_url(database),
            self.mongodb.service_url(database),
        )


@pytest.fixture(scope="session")
def new_place() -> Iterator[Callable[[], Path]]:
    """Makes temporary folders that, other than pytest's own, the servers' account can enter as well."""
    places: list[Path] = []

    def make() -> Path:
        places.append(Path(tempfile.mkdtemp(prefix="tandem-tests-")))
        places[-1].chmod(0o711)
        return places[-1]

    yield make
    for place in places:
        shutil.rmtree(place)


@pytest.fixture(scope="session")
async def servers(new_place: Callable[[], Path]) -> AsyncIterator[Servers]:
    folder = open_data_folder(new_place() / "stack")
    memory = folder.remember()
    postgres_server = Postgres(folder, memory, free_port())
    mongodb_server = MongoDB(folder, memory, free_port(), parameters=mongodb.TEST_PARAMETERS)
    await postgres_server.initialise()
    await mongodb_server.initialise()
    parts = [postgres_server.part, mongodb_server.part]
    processes = [Process.start(part.program) for part in parts]
    try:
        for part, process in zip(parts, processes, strict=True):
            await part.until_ready(process, part.start_patience)
        await postgres_server.make_roles()
        await mongodb_server.make_roles()
        yield Servers(postgres_server, mongodb_server)
    finally:
        for process in processes:
            await process.kill()  # nothing in them is to be kept


@pytest.fixture
async def databases(servers: Servers) -> Databases:
    """A fresh pair of databases for one test."""
    return await servers.new_databases()


@pytest.fixture(scope="session")
def require_program() -> Callable[[str, str], str]:
    """Finds a program, by its name and the system package that brings it: `require_program("wrk", "wrk")`.

    Without it the test is skipped, and says what to install; in CI it fails instead.
    """

    def find(name: str, package: str) -> str:
        if path := shutil.which(name):
            return path
        message = f"{name} is not installed: apt-get install {package}"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)

    return find
