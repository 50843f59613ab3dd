"""One measurement: put a load on a running stack, watch its users pass the stages, and say what it took."""

import asyncio
import bisect
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import msgspec

from tandem_lab.bench.generator import Outcome
from tandem_lab.bench.load import Load, carry_out, histogram_of, plan_of
from tandem_lab.bench.load_kinds import Kind
from tandem_lab.bench.probe import Probe
from tandem_lab.bench.results import Measurement, Sample
from tandem_lab.bench.stages import StageCounts, read_stages
from tandem_lab.errors import NotDrained
from tandem_stack.waiting import until

SAMPLE_SECONDS = 0.25
# A run whose users have not all arrived by then is broken off.
DRAIN_SECONDS = 120.0


async def measure_creates(
    probe: Probe, url: str, load: Load, round_: int = 0, seed: str | None = None
) -> Measurement:
    """Create users for some seconds, wait until all are synchronized, and say what it took.

    `seed` names the run, which must be new. The same seed makes the same users; None makes others each time.

    Raises:
        NotDrained: some were still pending two minutes later.
        GeneratorFailed: the load was not carried out.
    """
    run_seed = seed or f"lab-{time.time_ns()}"
    watch = StageWatch([instance.port for instance in probe.running.instances])

    async def until_done(_: Outcome) -> None:
        await until_drained(probe, run_seed)

    async with watch.watching():
        run = await carry_out(probe, plan_of(url, load, seed=run_seed), until_done)
    users, per_second = await probe.synchronized(run_seed)
    outcome = run.outcome
    return msgspec.structs.replace(
        run.measurement(Kind.CLOSED if load.rate is None else Kind.OPEN, round_, users),
        per_second={
            "accepted": round(outcome.answered / outcome.seconds, 1),
            "synchronized": round(per_second, 1),
        },
        **asked_of(probe, url),
        lag_ms=histogram_of(await probe.lags_ms(run_seed)).percentiles(),
        memory_mib=probe.memory(),
        mean_batch=watch.last.mean_batch_since(watch.first),
        users_of_instances=await probe.users_of_instances(run_seed),
        series=watch.series(outcome),
    )


def asked_of(probe: Probe, url: str) -> dict[str, bool | int]:
    """Who was asked: how many instances there are, and whether the load balancer was in between."""
    through_nginx = urlsplit(url).port == probe.running.load_balancer.port
    return {"instances": len(probe.running.instances), "through_nginx": through_nginx}


class StageWatch:
    """Samples how many users have passed each stage, from the instances' own metrics."""

    def __init__(self, ports: list[int]) -> None:
        self._ports = ports
        self._samples: list[tuple[float, StageCounts]] = []

    @property
    def first(self) -> StageCounts:
        """The counts before the load began."""
        return self._samples[0][1]

    @property
    def last(self) -> StageCounts:
        """The counts when all was over."""
        return self._samples[-1][1]

    @asynccontextmanager
    async def watching(self) -> AsyncIterator[None]:
        """Sample at the beginning, then again and again, and at the end."""
        await self._sample()
        watching = asyncio.create_task(self._run())
        try:
            yield
        finally:
            watching.cancel()
        await self._sample()

    def series(self, outcome: Outcome) -> list[Sample]:
        """The samples since the first request was sent, counted from the first sample."""
        base = self.first
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

    async def _sample(self) -> None:
        counts = await read_stages(self._ports)
        self._samples.append((time.monotonic(), counts))

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(SAMPLE_SECONDS)
            await self._sample()


async def until_drained(probe: Probe, seed: str) -> None:
    """Wait until no user of the run is on its way any more.

    Raises:
        NotDrained: some still are after `DRAIN_SECONDS`.
    """

    async def none_is_pending() -> bool:
        return await probe.pending(seed) == 0

    if not await until(none_is_pending, DRAIN_SECONDS):
        msg = f"Users of the run {seed} were still pending after {DRAIN_SECONDS:.0f} s"
        raise NotDrained(msg)
