"""The plan of `tandem bench`: which loads, in which order, so that noise hits all of them alike."""

import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

import msgspec

from tandem.lab.bench.environment import environment_of
from tandem.lab.bench.measure import Load, measure_creates
from tandem.lab.bench.probe import Probe
from tandem.lab.bench.reads import measure_reads, measure_staleness, reads_of
from tandem.lab.bench.results import Measurement, Report
from tandem.local_stack.status import Status

BROWSER_CONNECTIONS = 6
WARM_UP_CONNECTIONS = 50


class BenchPlan(msgspec.Struct, frozen=True):
    """What to measure. Rounds take closed loads in turn; open loads come last, at shares of the median."""

    seconds: float = 8.0
    rounds: int = 3
    warm_up_seconds: float = 3.0
    connections: tuple[int, ...] = (200, BROWSER_CONNECTIONS)
    open_shares: tuple[float, ...] = (0.1, 0.25, 0.5, 0.75, 0.9, 1.0)
    read_connections: int = 50
    stale_users: int = 500


#: Half of everything, for a first look: under two minutes.
QUICK = BenchPlan(seconds=4.0, rounds=2, warm_up_seconds=2.0, open_shares=(0.5, 0.9), stale_users=100)


async def bench(
    running: Status, url: str, data_dir: Path, plan: BenchPlan, tell: Callable[[str], None]
) -> Report:
    """Measure the running stack at `url`, an instance or the load balancer.

    Raises:
        NotDrained: users were still pending long after a load had ended.
        OSError, PostgresError, PyMongoError: a server of the stack does not answer.
    """
    begun_at = datetime.now(UTC).isoformat(timespec="seconds")
    probe = await Probe.open(running)
    try:
        tell("looking at the machine")
        environment = await environment_of(probe, data_dir)
        tell("warming up")
        await measure_creates(probe, url, Load(plan.warm_up_seconds, WARM_UP_CONNECTIONS))
        measurements = await _closed(probe, url, plan, tell)
        measurements += await _open(probe, url, plan, saturation(measurements), tell)
        measurements += await _reads(probe, url, plan, tell)
        tell("reading users at once after they were written")
        staleness = await measure_staleness(url, plan.stale_users)
    finally:
        await probe.close()
    return Report(
        kind="bench",
        begun_at=begun_at,
        command=sys.argv,
        environment=environment,
        measurements=measurements,
        staleness=staleness,
    )


def saturation(measurements: list[Measurement]) -> float:
    """Users synchronized per second under the largest closed load: the median of the rounds."""
    closed = [measurement for measurement in measurements if measurement.kind == "closed"]
    most = max(measurement.connections for measurement in closed)
    return median(
        measurement.per_second["synchronized"] for measurement in closed if measurement.connections == most
    )


async def _closed(probe: Probe, url: str, plan: BenchPlan, tell: Callable[[str], None]) -> list[Measurement]:
    measurements = []
    for number in range(1, plan.rounds + 1):
        for connections in plan.connections:
            tell(f"round {number} of {plan.rounds}: {connections} connections, as fast as they go")
            load = Load(plan.seconds, connections)
            measurements.append(await measure_creates(probe, url, load, number))
    return measurements


async def _open(
    probe: Probe, url: str, plan: BenchPlan, most: float, tell: Callable[[str], None]
) -> list[Measurement]:
    measurements = []
    for share in plan.open_shares:
        rate = round(most * share)
        tell(f"{rate:,} users due a second, {share:.0%} of the most")
        load = Load(plan.seconds, max(plan.connections), float(rate))
        measurements.append(await measure_creates(probe, url, load, 1))
    return measurements


async def _reads(probe: Probe, url: str, plan: BenchPlan, tell: Callable[[str], None]) -> list[Measurement]:
    load = Load(plan.seconds, plan.read_connections)
    measurements = []
    for reads in await reads_of(probe):
        tell(f"{reads.kind}, {load.connections} connections, as fast as they go")
        measurements.append(await measure_reads(probe, url, reads, load))
    return measurements
