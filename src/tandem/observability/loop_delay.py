"""How late the event loop is: every answer of this process is late by as much."""

import asyncio

from tandem.histogram import Histogram

_TICK_SECONDS = 0.25


async def measure_loop_delay(delays: Histogram) -> None:
    """Four times a second, for ever: count by how many seconds the loop came back too late."""
    loop = asyncio.get_running_loop()
    while True:
        due = loop.time() + _TICK_SECONDS
        await asyncio.sleep(_TICK_SECONDS)
        delays.observe(max(0.0, loop.time() - due))
