"""Servers that a test of faults may kill: not those that all other tests share."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from servers import Servers, run_servers
from systems import Servings, System, open_system


@pytest.fixture
async def own_servers(new_place: Callable[[], Path]) -> AsyncIterator[Servers]:
    """A PostgreSQL and a MongoDB of this test's own."""
    async with run_servers(new_place()) as running:
        yield running


@pytest.fixture
async def own_system(own_servers: Servers) -> AsyncIterator[System]:
    """Migrated databases in them."""
    async with open_system(await own_servers.new_databases()) as opened:
        yield opened


@pytest.fixture
async def serve_own(own_system: System, tmp_path: Path) -> AsyncIterator[Servings]:
    """A function that starts `tandem serve` against them."""
    servings = Servings(own_system, tmp_path)
    yield servings
    await servings.close()
