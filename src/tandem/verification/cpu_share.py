"""Work that takes no more than a share of a processor, however much of it there is."""

import asyncio
import time
from collections.abc import Coroutine, Generator
from typing import Any, Generic, TypeVar

T = TypeVar("T")

#: A verification costs more than its own steps: the drivers take answers apart in callbacks of the loop.
#: Measured: 1.23 times its own steps.
DRIVERS_FACTOR = 1.4
LONGEST_REST_SECONDS = 60.0


class CpuShare:
    """Measures what coroutines cost, step by step, and says how long they have to rest."""

    def __init__(self, percent: float) -> None:
        """`percent` of one processor, above 0."""
        self._rest_factor = 100 / percent - 1
        #: Seconds of this thread that were spent, by its own clock.
        self.spent = 0.0
        self._rested_for = 0.0

    async def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Carry out `work`, and count what its steps cost."""
        return await _Measured(work, self)

    async def rest(self) -> None:
        """Rest for as long as what was spent since the last time makes up for."""
        owed = (self.spent - self._rested_for) * DRIVERS_FACTOR * self._rest_factor
        self._rested_for = self.spent
        await asyncio.sleep(min(owed, LONGEST_REST_SECONDS))


class _Measured(Generic[T]):
    """An awaitable that drives a coroutine, and looks at the thread's clock around each of its steps."""

    def __init__(self, work: Coroutine[Any, Any, T], share: CpuShare) -> None:
        self._work = work
        self._share = share

    def __await__(self) -> Generator[Any, Any, T]:
        send, argument = self._work.send, None
        while True:
            started = time.thread_time()
            try:
                waited_for = send(argument)
            except StopIteration as end:
                value: T = end.value
                return value
            finally:
                self._share.spent += time.thread_time() - started
            try:
                argument = yield waited_for
                send = self._work.send
            except BaseException as error:  # a cancellation too: `await` hands it on
                argument, send = error, self._work.throw
