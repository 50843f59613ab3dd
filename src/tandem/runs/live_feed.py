"""One sampler for all watchers: it asks once a second, and only while there are any.

Watchers share the encoded event of their run. They have no queues: a slow one gets the newest event next, and
misses those in between.
"""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager, suppress

import msgspec

from tandem.cqrs.user import KIND
from tandem.http.requests import OPENING
from tandem.kernel import Unavailable
from tandem.kernel.cells import Everywhere, SilentCells
from tandem.runs.happenings import Kept
from tandem.runs.live_run import LiveDatabases, LiveEvent, LiveRun
from tandem.runs.merged_samples import added_up
from tandem.runs.observed import Words
from tandem.runs.samples import RunSamples, Snapshot

SECONDS_BETWEEN_SAMPLES = 1.0
SAMPLES_BETWEEN_CLEARINGS = 60
MOST_WATCHERS = 1_000
MOST_RUNS = 50
# What was seen while PostgreSQL did not answer is kept later; the oldest is forgotten first.
MOST_UNKEPT = 500

_encode = msgspec.json.Encoder().encode


class LiveFeed:
    """The live views of this instance."""

    def __init__(
        self,
        samples: Everywhere[RunSamples],
        mongodb: Everywhere[Callable[[], Awaitable[bool]]],
        app_id: str,
        kind: str = KIND,
        words: Words = Words(),  # noqa: B008 - it never changes
    ) -> None:
        """`samples` read what a cell's PostgreSQL knows, `mongodb` answers whether its MongoDB answers."""
        self._kind, self._words = kind, words
        # What happened, by the run's seed, and is not kept yet.
        self._unkept: list[tuple[str, Kept]] = []
        self._samples = samples
        self._mongodb = mongodb
        self._app_id = app_id
        # Cells whose PostgreSQL did not answer the last time.
        self._silent: Sequence[int] = ()
        self._runs: dict[str, LiveRun] = {}
        self._watchers: Counter[str] = Counter()
        self._frames: dict[str, bytes] = {}
        self._watched = asyncio.Event()
        self._sampled = asyncio.Event()
        #: How often PostgreSQL was asked.
        self.samples_taken = 0

    @property
    def watchers(self) -> int:
        """How many watch just now."""
        return self._watchers.total()

    def has_room_for(self, seed: str) -> bool:
        """Whether this instance can take one more watcher of this run."""
        return self.watchers < MOST_WATCHERS and (seed in self._runs or len(self._runs) < MOST_RUNS)

    async def watch(self, seed: str) -> AsyncIterator[bytes]:
        """The stream of one watcher as server-sent events; it ends at once where there is no room."""
        if not self.has_room_for(seed):
            return
        with self._watching(seed) as run:
            yield OPENING
            while seed not in self._frames:
                await self._sampled.wait()
            yield _frame(run.first_event)
            while True:
                await self._sampled.wait()
                yield self._frames[seed]

    async def run_once(self) -> float:
        """One round: wait for a watcher, ask, and tell all. Returns the seconds until the next one is due."""
        await self._watched.wait()
        for seed in [seed for seed in self._runs if not self._watchers[seed]]:
            del self._runs[seed], self._watchers[seed]
            self._frames.pop(seed, None)
        if not self._runs:
            await self._keep()
            if not self._unkept:
                self._watched.clear()
            return SECONDS_BETWEEN_SAMPLES if self._unkept else 0
        started = time.monotonic()
        # Watchers that come while PostgreSQL is being asked wait for the next round.
        asked = list(self._runs.values())
        postgresql, (mongodb, silent) = await asyncio.gather(self._sample(asked), self._look_at_mongodb())
        databases = LiveDatabases.of(postgresql=postgresql, mongodb=mongodb)
        self._publish(asked, databases, sorted({*self._silent, *silent}))
        if postgresql and self._samples.number not in self._silent:
            await self._keep()
        return max(0, started + SECONDS_BETWEEN_SAMPLES - time.monotonic())

    async def _sample(self, runs: Sequence[LiveRun]) -> bool:
        """Read the counters of these runs. Whether PostgreSQL answered, that of any cell."""
        clear = self.samples_taken % SAMPLES_BETWEEN_CLEARINGS == 0
        self.samples_taken += 1
        # What lacks a cell is not worth keeping.
        keep = [] if self._silent else [sample for run in runs for sample in run.worth_keeping]
        since = {run.seed: run.since for run in runs}
        cells, is_alone = self._samples, self._samples.is_alone

        async def read(samples: RunSamples) -> Snapshot:
            if samples is cells.own:
                return await samples.read(since, keep, clear=clear)
            return await samples.read(since, [], clear=False)

        try:
            heard = await cells.ask(read)
        except SilentCells as error:
            self._silent = error.numbers
            return False
        except Unavailable:
            return False
        self._silent = heard.silent
        snapshot = heard.answers[cells.number] if is_alone else added_up(heard.answers)
        for counters in snapshot.runs:
            self._runs[counters.seed].take(counters, snapshot)
        return True

    async def _keep(self) -> None:
        """Keep what happened; what cannot be kept now will be later."""
        if unkept := self._unkept[-MOST_UNKEPT:]:
            with suppress(Unavailable):
                await self._samples.own.note(unkept)
                unkept = []
        self._unkept = unkept

    async def _look_at_mongodb(self) -> tuple[bool, Sequence[int]]:
        """Whether MongoDB answers, that of any cell; and, of several cells, those whose does not."""
        if self._mongodb.is_alone:
            return await self._mongodb.own(), ()
        try:
            heard = await self._mongodb.ask(lambda answers: answers())
        except SilentCells as error:
            return False, error.numbers
        mute = [number for number, answers in heard.answers.items() if not answers]
        return len(mute) < len(heard.answers), [*heard.silent, *mute]

    def _publish(
        self, runs: Sequence[LiveRun], databases: LiveDatabases, silent_cells: Sequence[int]
    ) -> None:
        """Make the frames of these runs, and wake all watchers up."""
        for run in runs:
            run.tell(databases, silent_cells)
            self._unkept += [(run.seed, one) for one in run.observe()]
            self._frames[run.seed] = _frame(run.event)
        sampled, self._sampled = self._sampled, asyncio.Event()
        sampled.set()

    @contextmanager
    def _watching(self, seed: str) -> Iterator[LiveRun]:
        run = self._runs.setdefault(seed, LiveRun(seed, self._app_id, self._kind, self._words))
        self._watchers[seed] += 1
        self._watched.set()
        try:
            yield run
        finally:
            self._watchers[seed] -= 1


def _frame(event: LiveEvent) -> bytes:
    return b"data: " + _encode(event) + b"\n\n"
