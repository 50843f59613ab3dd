"""Real servers for all tests: one PostgreSQL and one MongoDB a session, empty databases for who asks."""

import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from playwright.async_api import Browser, async_playwright, expect

from servers import Databases, Servers, run_servers
from systems import Servings, System, open_system
from tandem.app import Instance, run_instance
from waiting import PATIENCE_SECONDS


@contextmanager
def making_places() -> Iterator[Callable[[], Path]]:
    """Makes temporary folders that, other than pytest's own, the servers' account can enter as well."""
    places: list[Path] = []

    def make() -> Path:
        places.append(Path(tempfile.mkdtemp(prefix="tandem-tests-")))
        places[-1].chmod(0o711)
        return places[-1]

    yield make
    for place in places:
        shutil.rmtree(place)


@pytest.fixture(scope="module")
def new_place() -> Iterator[Callable[[], Path]]:
    """Temporary folders for one file of tests: each of dozens of stacks leaves half a gigabyte and more."""
    with making_places() as make:
        yield make


@pytest.fixture(scope="session")
def new_lasting_place() -> Iterator[Callable[[], Path]]:
    """Temporary folders for what all tests share."""
    with making_places() as make:
        yield make


@pytest.fixture(scope="session")
async def servers(new_lasting_place: Callable[[], Path]) -> AsyncIterator[Servers]:
    async with run_servers(new_lasting_place()) as running:
        yield running


@pytest.fixture
async def databases(servers: Servers) -> AsyncIterator[Databases]:
    """A pair of databases with nothing in them, for one test."""
    async with servers.lend_databases() as lent:
        yield lent


@pytest.fixture
async def system(databases) -> AsyncIterator[System]:
    """Databases with nothing in them, migrated by their owner."""
    async with open_system(databases) as opened:
        yield opened


@pytest.fixture
async def instance(system) -> AsyncIterator[Instance]:
    """One instance in this process."""
    async with run_instance(system.settings()) as running:
        yield running


@pytest.fixture
async def serve(system, tmp_path) -> AsyncIterator[Servings]:
    """A function that starts `tandem serve` against this test's databases."""
    servings = Servings(system, tmp_path)
    yield servings
    await servings.close()


@pytest.fixture(scope="module")
async def shared_system(servers: Servers) -> AsyncIterator[System]:
    """Migrated databases for all tests of a module that do not disturb each other."""
    async with servers.lend_databases() as lent, open_system(lent) as opened:
        yield opened


@pytest.fixture(scope="module")
async def shared_serve(
    shared_system: System, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Servings]:
    """`serve` for such tests."""
    servings = Servings(shared_system, tmp_path_factory.mktemp("shared"))
    yield servings
    await servings.close()


@pytest.fixture(scope="module")
async def shared_client(shared_serve: Servings) -> httpx.AsyncClient:
    """A client of one instance, `instance-1`, for all of them: each start costs a third of a second."""
    return (await shared_serve("instance-1")).client


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


@pytest.fixture(scope="session")
async def browser(require_program: Callable[[str, str], str]) -> AsyncIterator[Browser]:
    """Chromium, for which no host but this one exists; `http://tandem.test` is this one, too."""
    hosts = "MAP tandem.test 127.0.0.1, MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"
    arguments = ["--no-sandbox", "--disable-gpu", f"--host-resolver-rules={hosts}"]
    program = require_program("chromium", "chromium")
    # Its own 5 s are short where other tests keep the machine busy.
    expect.set_options(timeout=PATIENCE_SECONDS * 1_000)
    async with async_playwright() as playwright:
        chromium = await playwright.chromium.launch(executable_path=program, args=arguments)
        yield chromium
        await chromium.close()
