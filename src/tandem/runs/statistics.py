"""Statistics of runs: exact counts and lag percentiles, from counters that the flow keeps in PostgreSQL."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import accumulate
from typing import Any, NamedTuple, TypeAlias

import msgspec
from asyncpg import Record

from tandem.cqrs.user import KIND
from tandem.delivery.endings import BUCKET_GROWTH
from tandem.postgres.database import Database
from tandem.runs.queries import queries_of

#: When the last user of a run was created, and its seed.
Place: TypeAlias = tuple[datetime, str]


class LagMilliseconds(msgspec.Struct, frozen=True):
    """Percentiles of the time from CREATED to SYNCRONIZED, each within 5 % of the true one."""

    p50: float
    p95: float
    p99: float


class RunStatistics(msgspec.Struct, frozen=True, rename="camel"):
    """What one instance (`prm_user.app_id`) created in one run."""

    seed: str
    app_id: str
    total: int
    #: Updates of these users.
    updated: int
    #: How many of them were deleted.
    deleted: int
    synchronized: int
    pending: int
    #: Users that were synchronized by another instance than the one that created them.
    taken_over: int
    #: Users that MongoDB refused for good; they are not pending any more.
    dead_letters: int
    first_created_at: datetime | None
    last_created_at: datetime | None
    duration_seconds: float
    #: Users created per second between the first and the last; null where both are the same moment.
    users_per_second: float | None
    lag_ms: LagMilliseconds | None


class Run(msgspec.Struct, frozen=True, rename="camel"):
    """One run, of all instances together."""

    seed: str
    total: int
    synchronized: int
    pending: int
    dead_letters: int
    taken_over: int
    #: The instances that created its users.
    instances: list[str]
    first_created_at: datetime
    last_created_at: datetime
    duration_seconds: float
    users_per_second: float | None
    lag_ms: LagMilliseconds | None


class Counted(NamedTuple):
    """The counters of a row, by their names, and the lags of its users: bucket to how many."""

    row: Mapping[str, Any]
    lags: Mapping[int, int]


class Statistics:
    """Reads the counters of one kind. The cost grows with runs and instances, not with users."""

    def __init__(self, database: Database, kind: str = KIND) -> None:
        self._database = database
        self._queries = queries_of(kind)

    async def counted(self, seed: str | None = None) -> list[Counted]:
        """The counters of each run and instance, or of one run, in order of seed and instance.

        Raises:
            Unavailable: PostgreSQL does not answer.
        """
        counts = await self._database.fetch(self._queries["statistics"], seed)
        lags: defaultdict[tuple[str, str], dict[int, int]] = defaultdict(dict)
        for row in await self._database.fetch(self._queries["lags"], seed):
            lags[row["seed"], row["app_id"]][row["bucket"]] = row["users"]
        return [Counted(dict(row), lags[row["seed"], row["app_id"]]) for row in counts]

    async def newest(self, limit: int, before: Place | None = None) -> list[Counted]:
        """The counters of at most `limit` runs, the one whose last user was created last first.

        Args:
            limit: how many.
            before: only runs that follow this place.

        Raises:
            Unavailable: PostgreSQL does not answer.
        """
        rows = await self._database.fetch(self._queries["list_runs"], *(before or (None, None)), limit)
        return await self._with_lags(rows)

    async def of_runs(self, seeds: Sequence[str]) -> list[Counted]:
        """The counters of these runs; one that is not there is missing.

        Raises:
            Unavailable: PostgreSQL does not answer.
        """
        return await self._with_lags(await self._database.fetch(self._queries["find_runs"], seeds))

    async def _with_lags(self, rows: Sequence[Record]) -> list[Counted]:
        lags: defaultdict[str, dict[int, int]] = defaultdict(dict)
        for seed, bucket, users in await self._database.fetch(
            self._queries["lags_of_runs"], [row["seed"] for row in rows]
        ):
            lags[seed][bucket] = users
        return [Counted(dict(row), lags[row["seed"]]) for row in rows]


def statistics_of(counted: Counted) -> RunStatistics:
    """The statistics of a run and an instance."""
    return RunStatistics(**_figures(counted))


def run_of(counted: Counted) -> Run:
    """The statistics of a run."""
    return Run(**_figures(counted))


def place_of(counted: Counted) -> Place:
    """Where a run is in the order of all, from the newest on: the greatest place comes first."""
    return counted.row["last_created_at"], counted.row["seed"]


def added_up(parts: Sequence[Counted]) -> Counted:
    """What cells have counted of the same thing, as one row."""
    if len(parts) == 1:
        return parts[0]
    lags: Counter[int] = Counter()
    for part in parts:
        lags.update(part.lags)
    rows = [part.row for part in parts]
    return Counted({name: _together(name, [row[name] for row in rows]) for name in rows[0]}, lags)


def _together(name: str, values: Sequence[Any]) -> Any:
    known = [value for value in values if value is not None]
    if name in ("seed", "app_id"):
        return known[0]
    if name == "instances":
        return sorted({one for some in known for one in some})
    if name == "first_created_at":
        return min(known, default=None)
    return max(known, default=None) if name == "last_created_at" else sum(known)


def _figures(counted: Counted) -> dict[str, Any]:
    """A row's counters, and what follows from them."""
    row = counted.row
    first, last = row["first_created_at"], row["last_created_at"]
    duration = (last - first).total_seconds() if first and last else 0.0
    return {
        **row,
        "pending": row["total"] - row["synchronized"] - row["dead_letters"],
        "duration_seconds": duration,
        "users_per_second": round(row["total"] / duration, 1) if duration else None,
        "lag_ms": lag_percentiles(sorted(counted.lags.items())),
    }


def lag_percentiles(buckets: Sequence[tuple[int, int]]) -> LagMilliseconds | None:
    """The percentiles of a histogram of (bucket, users), in order of buckets; None of an empty one."""
    if not buckets:
        return None
    return LagMilliseconds(*(_percentile(buckets, share) for share in (0.50, 0.95, 0.99)))


def _percentile(buckets: Sequence[tuple[int, int]], share: float) -> float:
    """The nearest-rank percentile: the middle of the bucket that the user at this share falls into."""
    rank = share * sum(users for _, users in buckets)
    reached = accumulate(users for _, users in buckets)
    bucket = next(bucket for (bucket, _), users in zip(buckets, reached, strict=True) if users >= rank)
    return round(float(BUCKET_GROWTH ** (bucket - 0.5)), 2)
