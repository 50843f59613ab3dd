"""Databases and an instance with orders beside users."""

from collections.abc import AsyncIterator

import pytest
from orders import ORDERS

from systems import System, open_system
from tandem.app import Instance, run_instance


@pytest.fixture
async def system(databases) -> AsyncIterator[System]:
    """Migrated databases that have orders."""
    async with open_system(databases, [ORDERS]) as opened:
        yield opened


@pytest.fixture
async def instance(system) -> AsyncIterator[Instance]:
    """One instance in this process, with orders."""
    async with run_instance(system.settings(), aggregates=[ORDERS]) as running:
        yield running
