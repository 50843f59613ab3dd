"""A share of an instance's work: a bounded number at a time; the rest waits in line, for a bounded time."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

from tandem.kernel import Overloaded


class Share:
    """What may be under way at a time of one kind of work, so that it leaves room for all others."""

    def __init__(self, name: str, *, at_a_time: int, most_waiting: int, patience: timedelta) -> None:
        self._name = name
        self._free = asyncio.Semaphore(at_a_time)
        self._most_waiting = most_waiting
        self._patience = patience
        #: How many are under way.
        self.under_way = 0
        #: How many wait in line.
        self.waiting = 0

    @asynccontextmanager
    async def one(self) -> AsyncIterator[None]:
        """Wait in line, then hold one place until the end of the block.

        Raises:
            Overloaded: too many wait already, or the wait took too long. Nothing was done.
        """
        await self._wait_in_line()
        self.under_way += 1
        try:
            yield
        finally:
            self.under_way -= 1
            self._free.release()

    async def _wait_in_line(self) -> None:
        if self.waiting >= self._most_waiting:
            msg = f"{self._name}: {self.waiting} are waiting already."
            raise Overloaded(msg)
        self.waiting += 1
        try:
            async with asyncio.timeout(self._patience.total_seconds()):
                await self._free.acquire()
        except TimeoutError:
            msg = f"{self._name}: waited for {self._patience.total_seconds():.0f} s."
            raise Overloaded(msg) from None
        finally:
            self.waiting -= 1
