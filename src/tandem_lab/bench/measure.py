"""One measurement: put a load on a running stack, watch its users pass the stages, and say what it took."""

import time
from urllib.parse import urlsplit

import msgspec

from tandem_lab.bench.load import Load, carry_out, histogram_of, plan_of
from tandem_lab.bench.load_kinds import Kind
from tandem_lab.bench.probe import Probe
from tandem_lab.bench.results import Measurement
from tandem_lab.bench.stages import StageWatch
from tandem_lab.errors import NotDrained
from tandem_stack.waiting import until

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
    async with watch.watching():
        plan = plan_of(url, load, seed=run_seed)
        run = await carry_out(probe, plan, lambda _: until_drained(probe, run_seed))
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
        mean_batch=watch.mean_batch(),
        users_of_instances=await probe.users_of_instances(run_seed),
        series=watch.series(outcome),
    )


def asked_of(probe: Probe, url: str) -> dict[str, bool | int]:
    """What the load was put on: the number of instances, and whether it went through the load balancer."""
    through_nginx = urlsplit(url).port == probe.running.load_balancer.port
    return {"instances": len(probe.running.instances), "through_nginx": through_nginx}


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
