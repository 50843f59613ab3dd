"""Background work for the time of a block."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any

_SECONDS_TO_END = 1.0


@asynccontextmanager
async def meanwhile(work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Run `work` while the block runs, then cancel it."""
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        # PyMongo swallows a cancellation now and then.
        while not task.done():
            task.cancel()
            await asyncio.wait([task], timeout=_SECONDS_TO_END)
