"""Whom loads of limits are put on: our own service, or peers in turn, each with its saturation."""

import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from tandem_lab.bench.load import Load
from tandem_lab.bench.measure import measure_creates
from tandem_lab.bench.mix import Observed, Service
from tandem_lab.bench.peers import measuring
from tandem_lab.bench.probe import Probe
from tandem_lab.bench.results import Measurement, rate_of
from tandem_lab.bench.slo import Offer, Task
from tandem_lab.bench.steps import WARM_UP_CONNECTIONS
from tandem_lab.peers.protocol import Peer

WARM_UP_SECONDS = 3.0


async def of_service(probe: Probe, url: str, task: Task) -> tuple[Offer, float]:
    """Our own service, warmed up, and its saturation.

    Raises:
        NotDrained, GeneratorFailed: see `measure_creates`.
    """
    run = f"lab-{time.time_ns()}"
    await measure_creates(probe, url, Load(WARM_UP_SECONDS, WARM_UP_CONNECTIONS), seed=run)
    closed = await measure_creates(probe, url, Load(task.seconds, task.connections))
    return Service(probe, url, task.connections, task.mix, run).offer, rate_of(closed)


@asynccontextmanager
async def of_peer(
    name: str, peer: Peer, probe: Probe, task: Task, ways: Mapping[int, int]
) -> AsyncIterator[tuple[Offer, float]]:
    """A peer on databases behind the relays `ways`, warmed up, and its saturation.

    Raises:
        PeerFailed: it does not start; says why.
        GeneratorFailed: a load was not carried out.
    """
    async with measuring(name, peer, probe, ways) as measure:

        async def offer(rate: float, seconds: float) -> Observed:
            return observed_of(await measure(Load(seconds, task.connections, rate), 1), rate, seconds)

        yield offer, rate_of(await measure(Load(task.seconds, task.connections), 1))


def observed_of(found: Measurement, rate: float, seconds: float) -> Observed:
    """What a measurement of a peer shows of a load of this rate."""
    accepted, due = found.users + found.not_arrived, int(rate * seconds)
    ms = {name: each for name, each in (("post", found.post_ms), ("lag", found.lag_ms)) if each}
    # All have arrived one lag after the last was due, unless they pile up.
    lag_seconds = found.lag_ms.p50 / 1000 if found.lag_ms else 0.0
    took = found.users / max(rate_of(found), 1e-9) - lag_seconds
    return Observed(
        rate=rate,
        seconds=seconds,
        ms=ms,
        per_second={"create": found.per_second["accepted"]},
        errors=max(0.0, 1 - accepted / due) if due else 0.0,
        late_seconds=found.seconds - seconds,
        arrived=0.0 if found.not_arrived else min(1.0, seconds / max(took, 1e-9)),
        generator_busy=found.generator.busy if found.generator else 0.0,
        others_busy=found.others_busy or 0.0,
    )
