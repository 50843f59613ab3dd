"""What PostgreSQL knows of the watched runs: one statement, however many they are."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

import asyncpg
import msgspec

from tandem.cqrs.user import KIND
from tandem.kernel import Unavailable
from tandem.postgres.database import Database
from tandem.runs.happenings import Kept
from tandem.runs.queries import queries_of

# A live view that waits longer for PostgreSQL says that it is down.
PATIENCE = timedelta(seconds=2)


class Sample(msgspec.Struct, frozen=True):
    """How far a run was in one second: a row of `prm_run_sample`."""

    seed: str
    #: Seconds since the epoch, by PostgreSQL's clock.
    at_second: int
    accepted: int
    stored: int
    projected: int
    synchronized: int
    #: Median lag of the users that were synchronized since the sample before; None if there were none.
    lag_ms: float | None
    #: How long the oldest pending user had waited: 0 where none was pending, None where it was not known.
    oldest_pending_ms: float | None = None


class RunInFlight(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """What one life of an instance has in flight of one run; published with its lease, for the live view."""

    #: Users that PostgreSQL has not committed yet.
    creating: int = 0
    #: Users that MongoDB has acknowledged and PostgreSQL has not recorded as SYNCRONIZED yet.
    writing_back: int = 0
    #: Users taken over since this life began, by the instance that created them.
    took_over: dict[str, int] = {}


class CreatorCounts(msgspec.Struct, frozen=True, rename="camel"):
    """The counters of a run, of the users that one instance created."""

    app_id: str
    total: int = 0
    synchronized: int = 0
    #: Users that another instance synchronized.
    taken_over: int = 0
    dead_letters: int = 0
    #: Where there are several cells, the number of the instance's.
    cell: int | None = None


class RunCounters(msgspec.Struct, frozen=True, rename="camel"):
    """The counters of one run, and the samples kept of it."""

    seed: str
    #: None when no user of it is among the hundred that have been pending for longest.
    oldest_pending_seconds: float | None
    counts: list[CreatorCounts]
    #: Bucket of lag (see `statistics`) to the number of users in it.
    lags: list[tuple[int, int]]
    samples: list[Sample]
    #: What happened in it.
    happenings: list[Kept] = []


class Life(msgspec.Struct, frozen=True, rename="camel"):
    """One life of an instance: a row of `tandem_instance`."""

    incarnation: int
    app_id: str
    started_at: datetime
    #: Commands that wait for PostgreSQL.
    waiting: int
    ready: bool
    #: Seconds since the lease was last renewed.
    silent_seconds: float
    #: Whether an instance of this name has a session at PostgreSQL. That of a killed one ends at once.
    connected: bool
    in_flight: dict[str, RunInFlight]
    #: Where there are several cells, the number of the instance's.
    cell: int | None = None


class Snapshot(msgspec.Struct, frozen=True, rename="camel"):
    """Everything that one statement has returned."""

    at: datetime
    runs: list[RunCounters]
    #: Lives of instances in the last hour, the newest first.
    lives: list[Life]
    #: How long the oldest pending user of all runs has waited; None when none is pending.
    oldest_pending_seconds: float | None = None


_decode = msgspec.json.Decoder(Snapshot).decode


class RunSamples:
    """Reads the counters of watched runs of one kind, and keeps samples of them."""

    def __init__(self, database: Database, kind: str = KIND) -> None:
        self._database = database
        self._queries = queries_of(kind)

    async def read(self, since: Mapping[str, int], keep: Sequence[Sample], *, clear: bool) -> Snapshot:
        """What is known now of each run (the keys of `since`), with its samples from that second on.

        Args:
            since: seed to a second since the epoch.
            keep: samples to keep, unless there are some of their seconds already.
            clear: also remove samples that are too many or too old.

        Raises:
            Unavailable: PostgreSQL does not answer within two seconds.
        """
        if keep or clear:
            await self._keep(keep, clear=clear)
        rows = await self._database.fetch(
            self._queries["sample_runs"], list(since), list(since.values()), within=PATIENCE
        )
        return _decode(rows[0][0])

    async def note(self, happened: Sequence[tuple[str, Kept]]) -> None:
        """Keep what happened in runs, by their seeds, unless it is kept already.

        Raises:
            Unavailable: PostgreSQL does not answer within two seconds.
        """
        columns = zip(
            *((seed, one.once, one.at, one.kind, one.text, one.amount) for seed, one in happened), strict=True
        )
        await self._database.fetch(self._queries["keep_happenings"], *map(list, columns), within=PATIENCE)

    async def happenings(self, seed: str) -> list[Kept]:
        """What happened in this run, the newest first.

        Raises:
            Unavailable: PostgreSQL does not answer within two seconds.
        """
        rows = await self._database.fetch(self._queries["list_happenings"], seed, within=PATIENCE)
        return [Kept(*row) for row in rows]

    async def _keep(self, samples: Sequence[Sample], *, clear: bool) -> None:
        kept = msgspec.json.encode(samples).decode()
        try:
            await self._database.fetch(self._queries["keep_samples"], kept, clear, within=PATIENCE)
        except Unavailable as error:
            # Another instance is keeping samples. One that is not kept is a point less in a chart.
            if not isinstance(error.__cause__, asyncpg.LockNotAvailableError):
                raise
