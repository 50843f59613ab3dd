"""Instances against real databases: in this process to look inside, or as processes that can be killed."""

from collections.abc import AsyncIterator

import pytest
from systems import Servings, System, open_system

from tandem.app import Instance, run_instance


@pytest.fixture
async def system(databases) -> AsyncIterator[System]:
    """Fresh databases, migrated by their owner."""
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
