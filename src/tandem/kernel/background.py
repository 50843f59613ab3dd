"""One shape for every background service: `run_once` does a round of work, and the loop only ticks."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from tandem.kernel.errors import Unavailable

logger = logging.getLogger(__name__)

# After a round that failed, the next one waits this long.
AFTER_FAILURE_SECONDS = 1.0


async def keep_running(name: str, run_once: Callable[[], Awaitable[float]]) -> None:
    """Call `run_once` for ever; it answers how many seconds to wait before the next round.

    No error ends the loop: a service that died silently would be worse than one that complains. A server that
    does not answer is normal for a while, and worth only a debug line here; others log it.

    Cancelling ends the loop, even where a database driver turns the cancellation into another error.
    Otherwise an instance that is stopped in such a moment would never end.
    """
    while True:
        try:
            pause_seconds = await run_once()
        except Unavailable as error:
            logger.debug("%s waits: %s", name, error)
            pause_seconds = AFTER_FAILURE_SECONDS
        except Exception:
            logger.exception("%s failed and goes on", name)
            pause_seconds = AFTER_FAILURE_SECONDS
        if is_cancelled():
            return
        await asyncio.sleep(pause_seconds)


def is_cancelled() -> bool:
    """Whether the calling task was cancelled, even if its `CancelledError` became another error."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
