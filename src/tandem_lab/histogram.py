"""Latencies in buckets: a million of them in a few kilobytes, each percentile within 0.5 % of the true one.

Bucket borders grow by a constant factor g, as in C. Masson, J. Rim, H. Lee, "DDSketch: A fast and
fully-mergeable quantile sketch with relative-error guarantees", VLDB 2019. Bucket i holds (g^(i-1), g^i] ms.
Its value is 2 g^i / (g + 1), the point whose relative distance to both borders is the same.
"""

from collections.abc import Iterator
from itertools import accumulate
from math import ceil, log
from typing import Self

import msgspec

RELATIVE_ERROR = 0.005
#: Latencies outside of this range count in the first or the last bucket. Minimum and maximum stay exact.
LOWEST_MS, HIGHEST_MS = 0.001, 3_600_000.0

_GROWTH = (1 + RELATIVE_ERROR) / (1 - RELATIVE_ERROR)
_BUCKETS_PER_E = 1 / log(_GROWTH)
_FIRST, _LAST = (ceil(log(bound) * _BUCKETS_PER_E) for bound in (LOWEST_MS, HIGHEST_MS))


class Percentiles(msgspec.Struct, frozen=True):
    """The percentiles of latencies that a report shows, in ms. `max` is exact, the others within 0.5 %."""

    p50: float
    p90: float
    p99: float
    p99_9: float
    max: float


class LatencyHistogram(msgspec.Struct):
    """Counts of latencies by bucket. There are at most 2,201 buckets.

    It is a struct, so that `msgspec.json` can write and read it.
    """

    counts: dict[int, int] = msgspec.field(default_factory=dict)
    total: int = 0
    min_ms: float | None = None
    max_ms: float | None = None

    def record(self, latency_ms: float, times: int = 1) -> None:
        """Count a latency. One below zero, which two clocks can produce, counts in the first bucket.

        Raises:
            ValueError: the latency is not finite, or `times` is less than one.
        """
        if not -HIGHEST_MS < latency_ms < float("inf") or times < 1:
            raise ValueError(f"A latency of {latency_ms} ms, {times} times, cannot be recorded.")
        bucket = _bucket(latency_ms)
        self.counts[bucket] = self.counts.get(bucket, 0) + times
        self.total += times
        if self.min_ms is None or latency_ms < self.min_ms:
            self.min_ms = latency_ms
        if self.max_ms is None or latency_ms > self.max_ms:
            self.max_ms = latency_ms

    def merge(self, other: Self) -> None:
        """Add all latencies of the other histogram."""
        for bucket, count in other.counts.items():
            self.counts[bucket] = self.counts.get(bucket, 0) + count
        self.total += other.total
        self.min_ms = min((ms for ms in (self.min_ms, other.min_ms) if ms is not None), default=None)
        self.max_ms = max((ms for ms in (self.max_ms, other.max_ms) if ms is not None), default=None)

    def percentile(self, percent: float) -> float | None:
        """The smallest latency that `percent` of all do not exceed, in ms; None when nothing was recorded.

        Raises:
            ValueError: `percent` is not between 0 and 100.
        """
        if not 0 <= percent <= 100:
            raise ValueError(f"{percent} is not between 0 and 100 percent.")
        if self.min_ms is None or self.max_ms is None:
            return None
        # Without rounding, floating point would put 99.9 % of 1,000 a little above rank 999.
        rank = max(1, ceil(round(percent / 100 * self.total, 6)))
        if rank >= self.total:
            return self.max_ms
        value = next(value for value, count in self._counted() if count >= rank)
        return min(max(value, self.min_ms), self.max_ms)

    def percentiles(self) -> Percentiles | None:
        """p50, p90, p99, p99.9 and the maximum; None when nothing was recorded."""
        values = [self.percentile(percent) for percent in (50, 90, 99, 99.9)]
        found = [value for value in (*values, self.max_ms) if value is not None]
        return Percentiles(*found) if found else None

    def cumulative(self) -> Iterator[tuple[float, float]]:
        """For plots: each bucket's value in ms, ascending, with the share of latencies up to it."""
        return ((value, count / self.total) for value, count in self._counted())

    def _counted(self) -> Iterator[tuple[float, int]]:
        """Each bucket's value in ms, ascending, with the number of latencies up to it."""
        buckets = sorted(self.counts)
        return zip(map(_value, buckets), accumulate(self.counts[bucket] for bucket in buckets), strict=True)


def _bucket(latency_ms: float) -> int:
    if latency_ms <= LOWEST_MS:
        return _FIRST
    return min(ceil(log(latency_ms) * _BUCKETS_PER_E), _LAST)


def _value(bucket: int) -> float:
    return 2.0 * _GROWTH**bucket / (_GROWTH + 1)
