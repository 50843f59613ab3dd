"""Waiting for an event for a limited time."""

import asyncio
from contextlib import suppress


async def happens(event: asyncio.Event, within_seconds: float) -> bool:
    """Wait for it; whether it has happened within the time.

    A cancellation is never lost, as it may be in `asyncio.wait_for` of Python 3.11.
    """
    with suppress(TimeoutError):
        async with asyncio.timeout(within_seconds):
            await event.wait()
    return event.is_set()
