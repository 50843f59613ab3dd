"""How long to wait before another try."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import TypeVar

import msgspec

# first * 2**30 is years, whatever `first` is. Without this bound the power overflows after 1,024 tries.
_MOST_DOUBLINGS = 30


T = TypeVar("T")


class Backoff(msgspec.Struct, frozen=True):
    """How long to wait before another try: doubling from `first` up to `longest`, with full jitter."""

    first: timedelta = timedelta(milliseconds=50)
    longest: timedelta = timedelta(seconds=5)

    def seconds(self, tries: int) -> float:
        """The wait after `tries` failures in a row, in seconds: uniform between a tenth and the whole."""
        doubled = self.first.total_seconds() * 2.0 ** min(tries - 1, _MOST_DOUBLINGS)
        whole = min(self.longest.total_seconds(), doubled)
        return random.uniform(whole / 10, whole)  # noqa: S311 - spreads load, guards nothing

    async def poll(self, ask: Callable[[], Awaitable[T]], within_seconds: float) -> T:
        """Ask until the answer is true in the sense of `bool`, or the time is up; the last answer."""
        deadline = time.monotonic() + within_seconds
        tries = 0
        while True:
            answer = await ask()
            left = deadline - time.monotonic()
            if answer or left <= 0:
                return answer
            tries += 1
            await asyncio.sleep(min(left, self.seconds(tries)))
