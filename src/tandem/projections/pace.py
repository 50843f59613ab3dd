"""How fast a rebuild goes, so that what is committed meanwhile still reaches MongoDB in time."""

import asyncio
import math
import time
from collections import Counter
from collections.abc import Mapping

from tandem.delivery.endings import BUCKET_GROWTH
from tandem.delivery.queries import queries_of
from tandem.kernel import Unavailable
from tandem.postgres.database import Database
from tandem.postgres.queries import load_queries

#: Documents a second, to begin with, at least, and how much faster it gets in each second with little lag.
FIRST, SLOWEST, FASTER = 2_000.0, 100.0, 1.25
SECONDS_BETWEEN_LOOKS = 1.0


class Pace:
    """Holds work back as long as users wait for MongoDB.

    Args:
        database: where lags are read.
        kind: whose lags count.
        max_lag: the seconds that the lag's 99th percentile shall stay under, and the oldest pending work.
        most: documents a second at most; None: as many as the lag allows.
    """

    def __init__(self, database: Database, kind: str, max_lag: float, most: float | None = None) -> None:
        self._database = database
        self._kind = kind
        self._queries = load_queries(__package__ or "", "kind.sql", kind=kind)
        self._max_lag = max_lag
        self._most = most or math.inf
        #: Documents a second.
        self.rate = min(FIRST, self._most)
        #: What was seen last, in seconds.
        self.lag = 0.0
        self._seen: Counter[int] = Counter()
        self._looked_at = self._free_at = time.monotonic()
        # Documents since then.
        self._done = 0

    async def wait(self, documents: int) -> None:
        """Wait until it is time for as many more."""
        self._done += documents
        if time.monotonic() >= self._looked_at + SECONDS_BETWEEN_LOOKS:
            await self._look()
        now = time.monotonic()
        self._free_at = max(self._free_at, now) + documents / self.rate
        await asyncio.sleep(self._free_at - now)

    async def _look(self) -> None:
        """Slow down by half where the lag is too long, and a little faster where it is short."""
        try:
            lags = await self._database.fetch(self._queries["lags"])
            (oldest,) = await self._database.fetch(queries_of(self._kind)["oldest_pending"])
        except Unavailable:
            # Whoever does not answer is not helped by more work.
            self.rate = max(SLOWEST, self.rate / 2)
            return
        finally:
            now = time.monotonic()
            reached = self._done / (now - self._looked_at)
            self._looked_at, self._done = now, 0
        seen = Counter({row["bucket"]: row["users"] for row in lags})
        self.lag = max(p99_seconds(seen - self._seen) if self._seen else 0.0, oldest["age"] or 0.0)
        self._seen = seen
        self.rate = min(self._most, next_rate(self.rate, reached, self.lag, self._max_lag))


def next_rate(rate: float, reached: float, lag: float, max_lag: float) -> float:
    """The rate after a second with this lag, in which so many documents a second were reached.

    It stays near what is reached: else it would be halved many times before that slows anything down.
    """
    if lag > max_lag / 2:
        return max(SLOWEST, min(rate, reached) / 2)
    return min(rate * FASTER, max(FIRST, 2 * reached)) if lag < max_lag / 4 else rate


def p99_seconds(buckets: Mapping[int, int]) -> float:
    """The upper bound of the bucket that the 99th percentile is in; 0 where nothing was counted."""
    left = 0.01 * sum(buckets.values())
    for bucket in sorted(buckets, reverse=True):
        left -= buckets[bucket]
        if left < 0:
            return float(BUCKET_GROWTH**bucket / 1000)
    return 0.0
