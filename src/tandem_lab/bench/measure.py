"""One measurement of a running stack: users are created, read, both at once, or read after their write."""

import asyncio
import random
import time
from urllib.parse import quote, urlsplit

import aiohttp
import msgspec

from tandem.random_users import random_user
from tandem_lab.bench.load import Load, carry_out, histogram_of, plan_of
from tandem_lab.bench.load_kinds import Kind
from tandem_lab.bench.probe import Probe
from tandem_lab.bench.results import Measurement, Staleness
from tandem_lab.bench.stages import StageWatch
from tandem_lab.errors import NotDrained
from tandem_stack.waiting import until

# If users of a run are still pending after this, the measurement is broken off.
DRAIN_SECONDS = 120.0
# How many paths are read over and over: too many for any cache on the way, few enough to prepare quickly.
PATHS = 20_000
PATIENCE_SECONDS = 5.0
TIMEOUT = aiohttp.ClientTimeout(total=10)
JSON = {"Content-Type": "application/json"}


async def measure_creates(
    probe: Probe, url: str, load: Load, round_: int = 0, seed: str | None = None
) -> Measurement:
    """Create users for some seconds, wait until all are synchronized, and say what it took.

    `seed` names the run, which must be new. The same seed makes the same users; None makes new users.

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
        **_asked_of(probe, url),
        lag_ms=histogram_of(await probe.lags_ms(run_seed)).percentiles(),
        memory_mib=probe.memory(),
        mean_batch=watch.mean_batch(),
        users_of_instances=await probe.users_of_instances(run_seed),
        series=watch.series(outcome),
    )


async def read_paths(probe: Probe, shuffle_seed: int = 0) -> dict[str, tuple[str, ...]]:
    """For each kind of read, the paths of existing users, in random order."""
    users = await probe.some_users(PATHS)
    random.Random(shuffle_seed).shuffle(users)  # noqa: S311 - an order, not a secret
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


async def measure_staleness(url: str, users: int) -> Staleness:
    """Write a user, then read it by its id until it is there. Repeat this for `users` users, one by one."""
    seed = f"lab-stale-{time.time_ns()}"
    missed, ages_ms = 0, []
    async with aiohttp.ClientSession(url, timeout=TIMEOUT) as session:
        for number in range(users):
            body = msgspec.json.encode(random_user(seed, number))
            where = f"/api/v1/user-command?seed={seed}"
            async with session.post(where, data=body, headers=JSON, raise_for_status=True) as created:
                path = f"/api/v1/user-query/{(await created.json())['id']}"
            answered = time.perf_counter()
            is_there = await _is_there(session, path)
            missed += not is_there
            while not is_there and time.perf_counter() - answered < PATIENCE_SECONDS:
                is_there = await _is_there(session, path)
            ages_ms.append((time.perf_counter() - answered) * 1000)
    return Staleness(users, round(missed / users, 4), histogram_of(ages_ms).percentiles())


async def _is_there(session: aiohttp.ClientSession, path: str) -> bool:
    async with session.get(path) as answer:
        await answer.read()
        return answer.status == 200


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
