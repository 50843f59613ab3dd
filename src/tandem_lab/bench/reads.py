"""Reads: how many a second, at what latency and cost, and how stale one is that follows its write at once."""

import asyncio
import random
import time
from urllib.parse import quote

import aiohttp
import msgspec

from tandem.random_users import random_user
from tandem_lab.bench.load import Load, carry_out, histogram_of, plan_of
from tandem_lab.bench.load_kinds import Kind
from tandem_lab.bench.measure import asked_of, measure_creates
from tandem_lab.bench.probe import Probe
from tandem_lab.bench.results import Measurement, Staleness

# Paths that are read over and over: more than stay in any cache on the way, few enough to prepare quickly.
PATHS = 20_000
PATIENCE_SECONDS = 5.0
TIMEOUT = aiohttp.ClientTimeout(total=10)
JSON = {"Content-Type": "application/json"}


async def read_paths(probe: Probe, shuffle_seed: int = 0) -> dict[str, tuple[str, ...]]:
    """For each kind of read, the paths of users that are there, in random order."""
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
        **asked_of(probe, url),
    )


async def measure_beside(
    probe: Probe, url: str, paths: tuple[str, ...], reads: Load, writes: Load
) -> list[Measurement]:
    """Read while users are written: what either does to the other. Nobody can tell whose the CPU is.

    Raises:
        NotDrained, GeneratorFailed: see `measure_creates`.
    """
    read, written = await asyncio.gather(
        measure_reads(probe, url, paths, reads, Kind.BESIDE_WRITES), measure_creates(probe, url, writes, 1)
    )
    written = msgspec.structs.replace(written, kind=Kind.BESIDE_READS)
    return [msgspec.structs.replace(each, cpu_us_per_user={}) for each in (read, written)]


async def measure_staleness(url: str, users: int) -> Staleness:
    """Write a user, then read it by its id until it is there; that many times, one after the other."""
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
