"""How Ctrl-C and SIGTERM end a command."""

import asyncio
import signal
from collections.abc import Coroutine
from typing import Any, TypeVar

INTERRUPTED = 130  # the exit code of what Ctrl-C ended

T = TypeVar("T")


async def interruptible(work: Coroutine[Any, Any, T]) -> T:
    """Carry out `work`; SIGTERM interrupts it as Ctrl-C does."""
    task = asyncio.current_task()
    assert task is not None  # noqa: S101 - narrows the type: uvloop.run has made one
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    return await work
