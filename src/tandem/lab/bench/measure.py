"""One measurement: put a load on a running stack, watch its users pass the stages, and say what it took."""

import asyncio
import bisect
import sys
import tempfile
import time
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from tandem.lab.bench.generator import Outcome, Plan
from tandem.lab.bench.probe import Probe, Usage
from tandem.lab.bench.results import GeneratorCost, Measurement, Sample
from tandem.lab.bench.stages import StageCounts, read_stages
from tandem.lab.histogram import LatencyHistogram

SAMPLE_SECONDS = 0.25
# A run whose users have not all arrived by then is broken off.
DRAIN_SECONDS = 120.0
# More than any instance here has answered in a second; a closed load is prepared for this many.
MOST_CREATES_A_SECOND, MOST_READS_A_SECOND = 20_000, 40_000


class NotDrained(Exception):
    """Users were still pending long after the load had ended."""


class Load(msgspec.Struct, frozen=True):
    """How to load: for how long, over how many connections, and at which rate (None: as fast as it goes)."""

    seconds: float
    connections: int
    rate: float | None = None


async def generate(plan: Plan) -> Outcome:
    """Run the load generator as a process of its own."""
    with tempfile.TemporaryDirectory(prefix="tandem-lab-") as folder:
        plan_file, outcome_file = Path(folder, "plan.json"), Path(folder, "outcome.json")
        await asyncio.to_thread(plan_file.write_bytes, msgspec.json.encode(plan))
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tandem.lab.bench.generator", str(plan_file), str(outcome_file)
        )
        try:
            await process.wait()
        finally:
            if process.returncode is None:
                process.kill()
        return msgspec.json.decode(await asyncio.to_thread(outcome_file.read_bytes), type=Outcome)


async def measure_creates(probe: Probe, url: str, load: Load, round_: int = 0) -> Measurement:
    """Create users for some seconds, wait until all are synchronized, and say what it took.

    Raises:
        NotDrained: some were still pending two minutes later.
    """
    seed = f"lab-{time.time_ns()}"
    watch = StageWatch([instance.port for instance in probe.running.instances])
    before, stages_before = await probe.usage(), await watch.now()
    watching = asyncio.create_task(watch.run())
    try:
        outcome = await generate(plan_of(url, load, seed=seed))
        await _drain(probe, seed)
    finally:
        watching.cancel()
    after, stages_after = await probe.usage(), await watch.sample()
    users, per_second = await probe.synchronized(seed)
    lags, posts = histogram_of(await probe.lags_ms(seed)), histogram_of(outcome.latencies_ms)
    generator = cost_of(outcome)
    return Measurement(
        kind="closed" if load.rate is None else "open",
        round=round_,
        users=users,
        seconds=round(outcome.seconds, 3),
        per_second={
            "accepted": round(outcome.answered / outcome.seconds, 1),
            "synchronized": round(per_second, 1),
        },
        instances=len(probe.running.instances),
        connections=load.connections,
        rate_due=load.rate,
        post_ms=posts.percentiles(),
        post_histogram=posts,
        lag_ms=lags.percentiles(),
        cpu_us_per_user=cpu_each(before, after, users) | {"generator": generator.cpu_us_per_request},
        memory_mib=probe.memory(),
        mean_batch=stages_after.mean_batch_since(stages_before),
        wal_bytes_per_user=round((after.wal_bytes - before.wal_bytes) / max(users, 1), 1),
        journal_bytes_per_user=round((after.journal_bytes - before.journal_bytes) / max(users, 1), 1),
        statuses=outcome.statuses,
        users_of_instances=await probe.users_of_instances(seed),
        generator=generator,
        series=watch.series(stages_before, outcome),
    )


def cost_of(outcome: Outcome) -> GeneratorCost:
    """What the generator itself took."""
    return GeneratorCost(
        round(outcome.cpu_us_per_request, 1), round(outcome.busy, 3), round(outcome.latest_ms, 2)
    )


def histogram_of(milliseconds: list[float]) -> LatencyHistogram:
    """All of them in one histogram."""
    histogram = LatencyHistogram()
    for latency_ms in milliseconds:
        histogram.record(latency_ms)
    return histogram


def plan_of(url: str, load: Load, *, seed: str | None = None, paths: tuple[str, ...] = ()) -> Plan:
    """The generator's plan: create users in the run `seed`, or read `paths`."""
    address = urlsplit(url)
    most_a_second = MOST_CREATES_A_SECOND if seed is not None else MOST_READS_A_SECOND
    return Plan(
        host=address.hostname or "127.0.0.1",
        port=address.port or 80,
        seconds=load.seconds,
        connections=load.connections,
        rate=load.rate,
        requests=int(load.seconds * (load.rate or most_a_second)),
        seed=seed,
        paths=paths,
    )


class StageWatch:
    """Samples how many users have passed each stage, from the instances' own metrics."""

    def __init__(self, ports: list[int]) -> None:
        self._ports = ports
        self._samples: list[tuple[float, StageCounts]] = []

    async def now(self) -> StageCounts:
        """The counts of all instances together."""
        return await read_stages(self._ports)

    async def sample(self) -> StageCounts:
        """The counts of all instances together, kept as a sample."""
        counts = await self.now()
        self._samples.append((time.monotonic(), counts))
        return counts

    async def run(self) -> None:
        """Sample until cancelled."""
        while True:
            await self.sample()
            await asyncio.sleep(SAMPLE_SECONDS)

    def series(self, base: StageCounts, outcome: Outcome) -> list[Sample]:
        """The samples since the first request was sent, counted from `base`."""
        return [
            Sample(
                round(at - outcome.started_at, 3),
                bisect.bisect_right(outcome.answered_at, at - outcome.started_at),
                counts.stored - base.stored,
                counts.projected - base.projected,
                counts.synchronized - base.synchronized,
            )
            for at, counts in self._samples
            if at >= outcome.started_at
        ]


async def _drain(probe: Probe, seed: str) -> None:
    try:
        async with asyncio.timeout(DRAIN_SECONDS):
            while await probe.pending(seed):  # noqa: ASYNC110 - the condition is in another process
                await asyncio.sleep(0.1)
    except TimeoutError:
        msg = f"Users of the run {seed} were still pending after {DRAIN_SECONDS:.0f} s."
        raise NotDrained(msg) from None


def cpu_each(before: Usage, after: Usage, count: int) -> dict[str, float]:
    """CPU us of each component for each of `count` users or reads."""
    return {
        name: round((after.cpu_us[name] - used) / max(count, 1), 1) for name, used in before.cpu_us.items()
    }
