"""The coalescer: while a batch is in flight, what arrives gathers into the next one.

A lone item goes at once, as a batch of one. Under load the batches grow by themselves, to what arrives in the
time that one batch takes. There is no added wait; only where no caller waits for the outcome, a policy may
keep batches apart. Gray's and Reuter's group commit is this idea for a log. Here it serves
commands, projection and reads alike.
"""

import asyncio
import logging
import math
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterator, Sequence
from datetime import timedelta
from typing import Generic, TypeVar

import msgspec

from tandem.histogram import Histogram
from tandem.kernel.background import is_cancelled
from tandem.kernel.backoff import Backoff
from tandem.kernel.errors import Overloaded, Unavailable

logger = logging.getLogger(__name__)

T = TypeVar("T")
R = TypeVar("R")


class BatchPolicy(msgspec.Struct, frozen=True):
    """How a coalescer batches.

    `max_batch` items go in one call. `max_waiting` may wait; more are refused. `max_in_flight` batches are
    carried out at a time; but one begins beside others only if it is full, if the last of them has lasted
    longer than `patience`, or while batches are usually small. So they stay large, one that is held up does
    not hold up the rest, and where there is little to gather nobody waits for it.

    With `retry`, a batch that meets `Unavailable` is tried again for ever, and stays in flight. With a
    `min_interval`, no two batches begin sooner after each other, unless a full one waits. That is for batches
    that cost much whatever their size, and whose outcome no caller waits for: fewer and larger ones are worth
    some milliseconds.
    """

    max_batch: int = 500
    max_waiting: int = 10_000
    max_in_flight: int = 1
    patience: timedelta = timedelta(milliseconds=20)
    retry: Backoff | None = None
    min_interval: timedelta = timedelta(0)


# Smaller batches are not waited for: with 6 callers they would have 3 items instead of 2.6.
_SMALL = 4

# Upper bounds of batches' sizes.
_SIZES = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000)


class BatchCounters(msgspec.Struct):
    """What a coalescer has done since it was made: sums, so that a scraper can take rates of them."""

    retries: int = 0
    refused: int = 0
    failed: int = 0
    largest: int = 0
    sizes: Histogram = msgspec.field(default_factory=lambda: Histogram(_SIZES))
    #: How long batches were in flight, in seconds.
    durations: Histogram = msgspec.field(default_factory=Histogram)

    @property
    def batches(self) -> int:
        """How many have been carried out."""
        return self.sizes.count

    @property
    def items(self) -> int:
        """How many were in them."""
        return int(self.sizes.total)

    @property
    def seconds(self) -> float:
        """How long they were in flight, in all."""
        return self.durations.total


class _Entry(Generic[T, R]):
    """One item, and the future of its result if a caller waits for it."""

    __slots__ = ("future", "item")

    def __init__(self, item: T, future: "asyncio.Future[R] | None") -> None:
        self.item = item
        self.future = future

    def resolve(self, result: R | BaseException) -> bool:
        """Hand the result to the caller that waits for it. False if there never was one."""
        if self.future is None:
            return False
        if not self.future.done():
            if isinstance(result, BaseException):
                self.future.set_exception(result)
            else:
                self.future.set_result(result)
        return True


class Coalescer(Generic[T, R]):
    """Gathers items into batches and gives each its own result.

    The handler takes a batch and returns one result (or one exception) for each item, in their order. It is
    all or nothing: if it raises, it has done nothing that it could not do again. Then

    * `Unavailable` is no item's fault: every item of the batch gets it (or waits, with `retry`);
    * any other exception is taken to be the fault of some item: the batch is halved until that item stands
      alone and only it gets the error.

    A caller that stops waiting does not stop the batch. All methods belong to one event loop's thread.
    """

    def __init__(
        self,
        name: str,
        handler: Callable[[Sequence[T]], Awaitable[Sequence[R | BaseException]]],
        policy: BatchPolicy | None = None,
    ) -> None:
        self.name = name
        self.policy = policy or BatchPolicy()
        self.counters = BatchCounters()
        #: Called for each batch that has ended, with this coalescer's name, the items, and the seconds it
        #: took. They must not raise.
        self.observers: list[Callable[[str, Sequence[T], float], None]] = []
        self._handler = handler
        self._waiting: deque[_Entry[T, R]] = deque()
        self._running: dict[asyncio.Task[None], Sequence[_Entry[T, R]]] = {}
        self._last_start = -math.inf
        self._last_number = 0
        #: A mean that follows the last dozen or so of batches.
        self._usual_size = 0.0
        #: Whether the last batch has lasted longer than the patience.
        self._is_overdue = False
        self._known_loop: asyncio.AbstractEventLoop | None = None

    def __len__(self) -> int:
        """How many items were taken and have no result yet."""
        return len(self._waiting) + sum(map(len, self._running.values()))

    def in_flight(self) -> Iterator[T]:
        """Every item that was taken and has no result yet: those that wait, too."""
        for batch in self._running.values():
            yield from (entry.item for entry in batch)
        yield from (entry.item for entry in self._waiting)

    @property
    def waiting(self) -> int:
        """How many items wait for a batch to take them."""
        return len(self._waiting)

    def submit(self, item: T) -> "asyncio.Future[R]":
        """Take `item`; the future gets its result, or its error.

        Raises:
            Overloaded: `max_waiting` items are waiting already.
        """
        future: asyncio.Future[R] = self._loop.create_future()
        if not self._take(_Entry(item, future)):
            msg = f"{self.name}: {len(self._waiting)} are waiting already."
            raise Overloaded(msg)
        return future

    def offer(self, item: T) -> bool:
        """Take `item` if there is room, without a future for its result. Errors are logged."""
        return self._take(_Entry(item, None))

    async def drain(self, within: timedelta) -> bool:
        """Wait until all that was taken has its result. False if some has none when the time is up."""
        try:
            async with asyncio.timeout(within.total_seconds()):
                while self._running:
                    await asyncio.wait(list(self._running))
        except TimeoutError:
            return False
        return True

    def stop(self) -> None:
        """Give up all items without a result. What is not stored elsewhere is lost."""
        for worker in list(self._running):
            worker.cancel()
        while self._waiting:
            self._abandon(self._waiting.popleft())

    @property
    def _loop(self) -> asyncio.AbstractEventLoop:
        # Before Python 3.12, asking for the running loop costs a system call, which is 1 us an item.
        if self._known_loop is None:
            self._known_loop = asyncio.get_running_loop()
        return self._known_loop

    def _take(self, entry: _Entry[T, R]) -> bool:
        if len(self._waiting) >= self.policy.max_waiting:
            self.counters.refused += 1
            return False
        self._waiting.append(entry)
        self._begin()
        return True

    def _begin(self) -> None:
        """Start a worker, if what waits may begin now."""
        in_flight = len(self._running)
        if not in_flight or (in_flight < self.policy.max_in_flight and self._may_overtake()):
            # The task begins in the loop's next round: what arrives in this round goes with it.
            worker = self._loop.create_task(self._work(), name=self.name)
            self._running[worker] = ()

    def _may_overtake(self) -> bool:
        are_small = self._usual_size < _SMALL
        return are_small or self._is_overdue or len(self._waiting) >= self.policy.max_batch

    def _start_patience(self, size: int) -> None:
        """A batch begins. Let another one begin beside it if it lasts too long."""
        if self.policy.max_in_flight > 1:
            self._last_number += 1
            self._usual_size += (size - self._usual_size) / 16
            self._is_overdue = False
            patience = self.policy.patience.total_seconds()
            self._loop.call_later(patience, self._lose_patience, self._last_number)

    def _lose_patience(self, number: int) -> None:
        if number == self._last_number:
            self._is_overdue = True
            if self._waiting:
                self._begin()

    def _abandon(self, entry: _Entry[T, R]) -> None:
        entry.resolve(Unavailable(f"{self.name}: stopped before the outcome was known."))

    async def _work(self) -> None:
        """Carry out one batch after the other, until nothing waits."""
        worker = asyncio.current_task()
        assert worker is not None  # noqa: S101 - narrows the type: this coroutine only runs as a task
        try:
            # A worker whose batch was overtaken leaves what waits to the other one.
            while self._waiting and (len(self._running) == 1 or self._may_overtake()):
                await self._keep_interval()
                size = min(len(self._waiting), self.policy.max_batch)
                batch = [self._waiting.popleft() for _ in range(size)]
                self._running[worker] = batch
                self._start_patience(size)
                started = time.perf_counter()
                await self._process(batch)
                self._running[worker] = ()
                seconds = time.perf_counter() - started
                self._count(size, seconds)
                if self.observers:
                    self._notify([entry.item for entry in batch], seconds)
        finally:
            # No await since the last look at what waits, so an item that comes now starts another worker.
            for entry in self._running.pop(worker):
                self._abandon(entry)

    async def _keep_interval(self) -> None:
        """Let more arrive, if the last batch began less than the interval ago."""
        interval = self.policy.min_interval.total_seconds()
        if not interval:
            return
        wait = self._last_start + interval - time.perf_counter()
        if wait > 0 and len(self._waiting) < self.policy.max_batch:
            await asyncio.sleep(wait)
        self._last_start = time.perf_counter()

    def _notify(self, items: Sequence[T], seconds: float) -> None:
        for observe in self.observers:
            observe(self.name, items, seconds)

    def _count(self, size: int, seconds: float) -> None:
        counters = self.counters
        counters.largest = max(counters.largest, size)
        counters.sizes.observe(size)
        counters.durations.observe(seconds)

    async def _process(self, batch: Sequence[_Entry[T, R]]) -> None:
        """Carry out `batch` and resolve all of its entries."""
        results: Sequence[R | BaseException]
        try:
            results = await self._call(batch)
        except Unavailable as error:
            # One exception each: a shared one would gather every caller's traceback.
            results = [_same(error) for _ in batch]
        except Exception as error:
            if len(batch) > 1:
                middle = len(batch) // 2
                await self._process(batch[:middle])
                await self._process(batch[middle:])
                return
            results = [error]
        for entry, result in zip(batch, results, strict=True):
            if isinstance(result, BaseException):
                self.counters.failed += 1
                if not entry.resolve(result):
                    logger.error("%s failed and nobody waits for its result", self.name, exc_info=result)
            else:
                entry.resolve(result)

    async def _call(self, batch: Sequence[_Entry[T, R]]) -> Sequence[R | BaseException]:
        """One call of the handler; with `retry`, as many as it takes to get past `Unavailable`."""
        items = [entry.item for entry in batch]
        tries = 0
        while True:
            try:
                results = await self._handler(items)
            except Unavailable as error:
                # If a driver made this error of a cancellation, the batch must not be tried again.
                if self.policy.retry is None or is_cancelled():
                    raise
                tries += 1
                self.counters.retries += 1
                if tries == 1:
                    logger.warning("%s: %s; %d wait and are tried again", self.name, error, len(items))
                await asyncio.sleep(self.policy.retry.seconds(tries))
                continue
            if len(results) == len(items):
                return results
            # The handler has done its work. Raising here would halve the batch and do it again.
            msg = f"{self.name}: the handler answered {len(results)} results for {len(items)} items."
            return [RuntimeError(msg) for _ in items]


def _same(error: Unavailable) -> Unavailable:
    """The same error for another caller, without anybody's traceback."""
    other = type(error).__new__(type(error), *error.args)
    other.__dict__.update(error.__dict__)
    return other
