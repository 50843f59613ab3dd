"""How late users come to a second store, seen from outside and so in the same way for every system.

While a load runs, the second store is asked again and again how many users it has. The k-th of a load to be
acknowledged is set against the k-th to arrive: the horizontal distance of the two cumulative curves.

- The mean is exact, whatever the order: it is the area between the curves (Little's law).
- Percentiles assume that who is acknowledged first arrives first. Where users overtake each other, some
  waited longer than the highest of these say, and some shorter than the lowest.
- A user that arrives before its acknowledgement has a lag of 0. In the mean it counts as less than that.
- The resolution is the time from one question to the next: `EVERY_SECONDS`, or more on a busy machine.
  Arrivals between two are spread evenly over it.
- A user whose request failed and that arrives all the same makes those after it seem earlier; one that never
  arrives makes them seem later.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from itertools import pairwise
from statistics import fmean

import msgspec

from tandem_stack.waiting import together

EVERY_SECONDS = 0.01


class Seen(msgspec.Struct, frozen=True):
    """How many users the second store had at a time of the machine's monotonic clock."""

    at: float
    users: int


class Arrivals:
    """Watches a second store during a load. Users count from `before` on."""

    def __init__(self, done: Callable[[], Awaitable[int]], before: int) -> None:
        self.seen: list[Seen] = []
        self._done = done
        self._before = before
        self._is_watching = False

    @property
    def users(self) -> int:
        """How many have arrived so far."""
        return self.seen[-1].users if self.seen else 0

    @asynccontextmanager
    async def watched(self) -> AsyncIterator[None]:
        """Ask the store during the block. What the store raises ends the block, too."""
        self._is_watching = True
        async with together() as group:
            asking = group.create_task(self._keep_asking())
            try:
                yield
            finally:
                self._is_watching = False
                asking.cancel()

    async def _keep_asking(self) -> None:
        # PyMongo may lose a cancellation (as `wait_for` of Python 3.11 may): a loop without an end went on.
        while self._is_watching:
            asked = time.monotonic()
            users = await self._done() - self._before
            answered = time.monotonic()
            self.seen.append(Seen((asked + answered) / 2, users))
            await asyncio.sleep(asked + EVERY_SECONDS - answered)


def arrival_times(seen: Sequence[Seen], users: int) -> list[float]:
    """When the first, the second, and so on of at most so many users arrived."""
    times: list[float] = []
    for earlier, later in pairwise(seen):
        step = (later.at - earlier.at) / max(later.users - earlier.users, 1)
        new = range(len(times) + 1, min(later.users, users) + 1)
        times += [earlier.at + step * (number - earlier.users) for number in new]
    return times


def lags_ms(acknowledged: Iterable[float], arrived: Iterable[float]) -> list[float]:
    """The lag of each user that has arrived, by the times of all acknowledgements and arrivals, in order."""
    pairs = zip(acknowledged, arrived, strict=False)
    return [max(0.0, (there - promised) * 1000) for promised, there in pairs]


def mean_lag_ms(acknowledged: Sequence[float], arrived: Sequence[float]) -> float | None:
    """The mean lag of those that have arrived, whoever they are; None if nobody has.

    It is less than 0 where most arrive before their acknowledgements.
    """
    if not arrived:
        return None
    return round((fmean(arrived) - fmean(acknowledged[: len(arrived)])) * 1000, 3)
