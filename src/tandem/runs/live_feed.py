"""One sampler for all watchers: it asks once a second, and only while there are any.

Watchers share the encoded event of their run. They have no queues: a slow one gets the newest event next, and
misses those in between.
"""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager

import msgspec

from tandem.http.requests import OPENING
from tandem.kernel import Unavailable
from tandem.runs.live_run import LiveDatabases, LiveEvent, LiveRun
from tandem.runs.samples import RunSamples

SECONDS_BETWEEN_SAMPLES = 1.0
SAMPLES_BETWEEN_CLEARINGS = 60
MOST_WATCHERS = 1_000
MOST_RUNS = 50

_encode = msgspec.json.Encoder().encode


class LiveFeed:
    """The live views of this instance."""

    def __init__(
        self, samples: RunSamples, mongodb_answers: Callable[[], Awaitable[bool]], app_id: str
    ) -> None:
        self._samples = samples
        self._mongodb_answers = mongodb_answers
        self._app_id = app_id
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
            self._watched.clear()
            return 0
        started = time.monotonic()
        # Watchers that come while PostgreSQL is being asked wait for the next round.
        asked = list(self._runs.values())
        postgresql, mongodb = await asyncio.gather(self._sample(asked), self._mongodb_answers())
        self._publish(asked, LiveDatabases.of(postgresql=postgresql, mongodb=mongodb))
        return max(0, started + SECONDS_BETWEEN_SAMPLES - time.monotonic())

    async def _sample(self, runs: Sequence[LiveRun]) -> bool:
        """Read the counters of these runs. Whether PostgreSQL answered."""
        clear = self.samples_taken % SAMPLES_BETWEEN_CLEARINGS == 0
        self.samples_taken += 1
        keep = [sample for run in runs for sample in run.worth_keeping]
        try:
            snapshot = await self._samples.read({run.seed: run.since for run in runs}, keep, clear=clear)
        except Unavailable:
            return False
        for counters in snapshot.runs:
            self._runs[counters.seed].take(counters, snapshot)
        return True

    def _publish(self, runs: Sequence[LiveRun], databases: LiveDatabases) -> None:
        """Make the frames of these runs, and wake all watchers up."""
        for run in runs:
            run.tell(databases)
            self._frames[run.seed] = _frame(run.event)
        sampled, self._sampled = self._sampled, asyncio.Event()
        sampled.set()

    @contextmanager
    def _watching(self, seed: str) -> Iterator[LiveRun]:
        run = self._runs.setdefault(seed, LiveRun(seed, self._app_id))
        self._watchers[seed] += 1
        self._watched.set()
        try:
            yield run
        finally:
            self._watchers[seed] -= 1


def _frame(event: LiveEvent) -> bytes:
    return b"data: " + _encode(event) + b"\n\n"
