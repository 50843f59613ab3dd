"""One measurement of a running stack: users are created, changed, read, or read while others are created."""

import asyncio
import random
import time
from collections.abc import Sequence
from urllib.parse import quote, urlsplit

import msgspec

from tandem_lab.bench.generator import Plan
from tandem_lab.bench.load import Load, carry_out, histogram_of, plan_of
from tandem_lab.bench.load_kinds import BESIDE_USERS, CONTENDED, Kind
from tandem_lab.bench.probe import Probe
from tandem_lab.bench.results import Measurement
from tandem_lab.bench.stages import StageWatch
from tandem_lab.errors import NotDrained
from tandem_stack.waiting import until

# If users of a run are still pending after this, the measurement is broken off.
DRAIN_SECONDS = 120.0
# How many paths are read over and over: too many for any cache on the way, few enough to prepare quickly.
PATHS = 20_000
# Among how many users the targets of a contended load are chosen.
CONTENDED_USERS = 4_000


class Change(msgspec.Struct, frozen=True):
    """What happens to users of the run `seed`: to all of them, each once, or to some by Zipf's law."""

    kind: Kind
    seed: str
    exponent: float | None = None

    def targets(self, users: Sequence[int], most: int) -> tuple[int, ...]:
        """Whose turn it is, in order, always the same.

        All in random order; with an exponent `most` draws, in which the k-th has a share of k**-exponent.
        """
        chance = random.Random(0)  # noqa: S311 - an order, not a secret
        order = chance.sample(users, len(users))
        if self.exponent is None or not order:
            return tuple(order)
        some = order[:CONTENDED_USERS]
        weights = [rank**-self.exponent for rank in range(1, len(some) + 1)]
        return tuple(chance.choices(some, weights, k=most))


async def measure_creates(
    probe: Probe, url: str, load: Load, round_: int = 0, seed: str | None = None
) -> Measurement:
    """Create users for some seconds, wait until all are synchronized, and say what it took.

    `seed` names the run, which must be new. The same seed makes the same users; None makes new users.

    Raises:
        NotDrained: some were still pending two minutes later.
        GeneratorFailed: the load was not carried out.
    """
    plan = plan_of(url, load, seed=seed or f"lab-{time.time_ns()}")
    return await measure_plan(probe, url, plan, Kind.CLOSED if load.rate is None else Kind.OPEN, round_)


async def measure_plan(probe: Probe, url: str, plan: Plan, kind: Kind, round_: int) -> Measurement:
    """The same with a plan that creates something in a new run.

    Raises:
        NotDrained, GeneratorFailed: see `measure_creates`.
    """
    seed, before = str(plan.seed), await probe.stored_bytes()
    found = await _measure_commands(probe, url, plan, kind, seed)
    after = await probe.stored_bytes()
    return msgspec.structs.replace(
        found,
        round=round_,
        users_of_instances=await probe.users_of_instances(seed),
        stored_bytes_per_user={
            name: round((size - before[name]) / max(found.users, 1), 1) for name, size in after.items()
        },
    )


async def measure_changes(probe: Probe, url: str, load: Load, change: Change, round_: int) -> Measurement:
    """Change users for some seconds, wait until all are synchronized, and say what it took.

    Raises:
        NotDrained, GeneratorFailed: see `measure_creates`.
    """
    plan = plan_of(url, load, seed=f"lab-{time.time_ns()}")
    plan = msgspec.structs.replace(
        plan,
        method="DELETE" if change.kind is Kind.DELETE else "PATCH",
        targets=change.targets(await probe.users_of(change.seed), plan.requests),
        if_match=change.kind is Kind.CONTENDED_IF_MATCH,
    )
    found = await _measure_commands(probe, url, plan, change.kind, change.seed)
    return msgspec.structs.replace(found, round=round_, exponent=change.exponent)


async def _measure_commands(probe: Probe, url: str, plan: Plan, kind: Kind, run_seed: str) -> Measurement:
    """Send commands on users of the run, wait until all of these are synchronized, and say what it took."""
    watch = StageWatch([instance.port for instance in probe.running.instances], probe.kind)
    since = await probe.now()
    async with watch.watching():
        run = await carry_out(probe, plan, lambda _: until_drained(probe, run_seed))
    versions, per_second = await probe.synchronized(run_seed, since)
    outcome = run.outcome
    if kind in CONTENDED | BESIDE_USERS and versions:
        # What was synchronized with a later version counts, too: nothing is left for later. And versions
        # that reactions have led to do not.
        versions, per_second = outcome.answered, per_second * outcome.answered / versions
    return msgspec.structs.replace(
        run.measurement(kind, 0, versions),
        per_second={
            "accepted": round(outcome.answered / outcome.seconds, 1),
            "synchronized": round(per_second, 1),
        },
        **_asked_of(probe, url),
        lag_ms=histogram_of(await probe.lags_ms(run_seed, since)).percentiles(),
        memory_mib=probe.memory(),
        mean_batch=watch.mean_batch(),
        series=watch.series(outcome),
    )


async def read_paths(probe: Probe) -> dict[str, tuple[str, ...]]:
    """For each kind of read, the paths of existing users, in random order."""
    users = await probe.some_users(PATHS)
    base = "/api/v1/user-query"
    return {
        Kind.BY_ID: tuple(f"{base}/{user_id}" for user_id, _ in users),
        Kind.BY_EMAIL: tuple(f"{base}/email?email={quote(email, safe='')}" for _, email in users),
        Kind.LIST: tuple(f"{base}?limit=10&after={user_id}" for user_id, _ in users),
    }


async def measure_reads(
    probe: Probe, url: str, paths: tuple[str, ...], load: Load, kind: Kind
) -> Measurement:
    """Read these paths in turn, closed or at a rate; the round is 1.

    Raises:
        GeneratorFailed: the load was not carried out.
    """
    run = await carry_out(probe, plan_of(url, load, paths=paths))
    return msgspec.structs.replace(
        run.measurement(kind, 1, run.outcome.answered),
        per_second={"read": round(run.outcome.answered / run.outcome.seconds, 1)},
        wal_bytes_per_user=None,
        journal_bytes_per_user=None,
        memory_mib=probe.memory(),
        **_asked_of(probe, url),
    )


async def measure_beside(
    probe: Probe, url: str, paths: tuple[str, ...], reads: Load, writes: Load
) -> list[Measurement]:
    """Read while users are written, and show how each affects the other. The CPU of either cannot be told.

    Raises:
        NotDrained, GeneratorFailed: see `measure_creates`.
    """
    read, written = await asyncio.gather(
        measure_reads(probe, url, paths, reads, Kind.BESIDE_WRITES), measure_creates(probe, url, writes, 1)
    )
    written = msgspec.structs.replace(written, kind=Kind.BESIDE_READS)
    return [msgspec.structs.replace(each, cpu_us_per_user={}) for each in (read, written)]


async def until_drained(probe: Probe, seed: str) -> None:
    """Wait until no user of the run is on its way any more.

    Raises:
        NotDrained: some still are after `DRAIN_SECONDS`.
    """
    if not await until(lambda: probe.is_drained(seed), DRAIN_SECONDS):
        msg = f"Users of the run {seed} were still pending after {DRAIN_SECONDS:.0f} s"
        raise NotDrained(msg)


def _asked_of(probe: Probe, url: str) -> dict[str, bool | int]:
    """What the load was put on: the number of instances, and whether it went through the load balancer."""
    through_nginx = urlsplit(url).port == probe.running.load_balancer.port
    return {"instances": len(probe.running.instances), "through_nginx": through_nginx}
