"""A request to stop, which may come at any moment from the first one on."""

import asyncio
import signal


class StopRequest:
    """SIGTERM and SIGINT, from now on until the process ends.

    The first one counts. Further ones change nothing, so that databases can be closed in peace.
    """

    def __init__(self) -> None:
        self._asked = asyncio.Event()
        self._starting = asyncio.current_task()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, self._take)

    @property
    def was_made(self) -> bool:
        """Whether one has come."""
        return self._asked.is_set()

    def wait_for_it(self) -> None:
        """From now on, do not cancel the task that made this object: it will `wait`."""
        self._starting = None

    async def wait(self) -> None:
        """Return when one has come."""
        await self._asked.wait()

    def _take(self) -> None:
        if self._asked.is_set():
            return
        self._asked.set()
        if self._starting is not None:
            self._starting.cancel()
