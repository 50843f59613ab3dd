"""How many users have passed each stage of the flow, read from the instances' metrics while a load runs."""

import asyncio
import bisect
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import aiohttp
import msgspec
from prometheus_client.parser import text_string_to_metric_families

from tandem_lab.bench.generator import Outcome
from tandem_lab.bench.results import Sample
from tandem_lab.meanwhile import meanwhile

# The stage that the items of a coalescer's batches have passed, by the coalescer's name in the metrics.
COALESCERS = {
    "CreateUserCommand": "stored",
    "UpdateUserCommand": "stored",
    "DeleteUserCommand": "stored",
    "CreateUserQueryCommand": "projected",
    "ChangeUserQueryCommand": "projected",
    "SynchronizeUserCommand": "synchronized",
}
# The same of a kind of aggregates, whose name follows.
STEPS = {"create": "stored", "change": "stored", "show": "projected", "synchronize": "synchronized"}
SAMPLE_SECONDS = 0.25
TIMEOUT = aiohttp.ClientTimeout(total=5)


class StageCounts(msgspec.Struct, frozen=True):
    """Totals of all instances since they began: users that have passed each stage, and their batches."""

    items: Counter[str]
    batches: Counter[str]

    def mean_batch_since(self, earlier: "StageCounts") -> dict[str, float]:
        """The mean number of users in a batch of each stage, between two readings."""
        return {
            stage: round((self.items[stage] - earlier.items[stage]) / count, 1)
            for stage, batches in self.batches.items()
            if (count := batches - earlier.batches[stage])
        }


class StageWatch:
    """Takes samples of the counts of the instances on these ports of this machine.

    They are counts of users, or of a kind of aggregates.
    """

    def __init__(self, ports: Sequence[int], kind: str = "") -> None:
        self._ports = ports
        self._stages = {f"{step} {kind}": stage for step, stage in STEPS.items()} if kind else COALESCERS
        self._samples: list[tuple[float, StageCounts]] = []

    @asynccontextmanager
    async def watching(self) -> AsyncIterator[None]:
        """Take a sample before the block, several during it, and one after it."""
        async with aiohttp.ClientSession(timeout=TIMEOUT, raise_for_status=True) as session:
            await self._sample(session)
            async with meanwhile(self._keep_sampling(session)):
                yield
            await self._sample(session)

    def mean_batch(self) -> dict[str, float]:
        """The mean number of users in a batch of each stage, over all samples."""
        return self._samples[-1][1].mean_batch_since(self._samples[0][1])

    def series(self, outcome: Outcome) -> list[Sample]:
        """The samples since the first request was sent. Users count from the first sample of all."""
        base = self._samples[0][1].items
        return [
            Sample(
                round(at - outcome.started_at, 3),
                bisect.bisect_right(outcome.answered_at, at - outcome.started_at),
                *(counts.items[stage] - base[stage] for stage in dict.fromkeys(COALESCERS.values())),
            )
            for at, counts in self._samples
            if at >= outcome.started_at
        ]

    async def _keep_sampling(self, session: aiohttp.ClientSession) -> None:
        while True:
            await asyncio.sleep(SAMPLE_SECONDS)
            await self._sample(session)

    async def _sample(self, session: aiohttp.ClientSession) -> None:
        texts = await asyncio.gather(*(_scrape(session, port) for port in self._ports))
        items: Counter[str] = Counter()
        batches: Counter[str] = Counter()
        counters = {"tandem_batch_items_sum": items, "tandem_batch_items_count": batches}
        for family in text_string_to_metric_families("\n".join(texts)):
            for sample in family.samples:
                stage = self._stages.get(sample.labels.get("coalescer", ""))
                if stage is not None and sample.name in counters:
                    counters[sample.name][stage] += int(sample.value)
        self._samples.append((time.monotonic(), StageCounts(items, batches)))


async def _scrape(session: aiohttp.ClientSession, port: int) -> str:
    """The metrics of an instance. One that does not answer counts nothing."""
    try:
        async with session.get(f"http://127.0.0.1:{port}/metrics?names=tandem_batch_items") as answer:
            return await answer.text()
    except (aiohttp.ClientError, TimeoutError):
        return ""
