"""Waiting: for what happens in other processes, and for several tasks at once."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

SECONDS_BETWEEN_LOOKS = 0.05


async def until(condition: Callable[[], Awaitable[bool]], patience_seconds: float | None) -> bool:
    """Wait until `condition` holds, for at most this long (None: without a limit). Returns whether it holds.

    The condition is checked again and again, because other processes send no event when it becomes true.
    PyMongo swallows a cancellation now and then, be it that of a time limit, so we look for it ourselves.
    """
    with suppress(TimeoutError):
        async with asyncio.timeout(patience_seconds):
            before = _cancellations()
            while not await condition():
                if _cancellations() > before:
                    raise asyncio.CancelledError
                await asyncio.sleep(SECONDS_BETWEEN_LOOKS)
            return True
    return False


def _cancellations() -> int:
    """How often the calling task was cancelled."""
    task = asyncio.current_task()
    return task.cancelling() if task else 0


@asynccontextmanager
async def together() -> AsyncIterator[asyncio.TaskGroup]:
    """A task group that fails with its first error itself, not with a group of errors."""
    try:
        async with asyncio.TaskGroup() as group:
            yield group
    except* Exception as errors:
        first = errors.exceptions[0]
    else:
        return
    raise first
