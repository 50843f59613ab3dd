"""How long to wait before another try."""

import random
from datetime import timedelta

import msgspec

# first * 2**30 is years, whatever `first` is. Without this bound the power overflows after 1,024 tries.
_MOST_DOUBLINGS = 30


class Backoff(msgspec.Struct, frozen=True):
    """How long to wait before another try: doubling from `first` up to `longest`, with full jitter."""

    first: timedelta = timedelta(milliseconds=50)
    longest: timedelta = timedelta(seconds=5)

    def seconds(self, tries: int) -> float:
        """The wait after `tries` failures in a row, in seconds: uniform between a tenth and the whole."""
        doubled = self.first.total_seconds() * 2.0 ** min(tries - 1, _MOST_DOUBLINGS)
        whole = min(self.longest.total_seconds(), doubled)
        return random.uniform(whole / 10, whole)  # noqa: S311 - spreads load, guards nothing
