"""Waiting for what happens in other processes: nothing tells us, so we look again and again."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

SECONDS_BETWEEN_LOOKS = 0.05


async def until(condition: Callable[[], Awaitable[bool]], patience_seconds: float | None) -> bool:
    """Wait until `condition` holds, for at most so many seconds (None: for ever). Returns whether it does."""
    with suppress(TimeoutError):
        async with asyncio.timeout(patience_seconds):
            while not await condition():  # noqa: ASYNC110 - no event of ours tells
                await asyncio.sleep(SECONDS_BETWEEN_LOOKS)
            return True
    return False
