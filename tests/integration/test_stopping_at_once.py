"""An instance may be told to stop at any moment, also while its background services are in mid-call."""

import asyncio

from tandem.app import run_instance


async def test_an_instance_that_stops_at_once_always_ends(system):
    """A driver that makes another error of a cancellation kept a service running, and the instance too."""
    for number in range(40):
        async with asyncio.timeout(60), run_instance(system.settings(f"short-{number}")):
            await system.postgres.fetchval("select 1")
