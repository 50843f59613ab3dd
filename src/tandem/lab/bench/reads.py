"""Reads: how many a second, at what latency and cost, and how stale one is that follows its write at once."""

import asyncio
import http.client
import random
import time
from urllib.parse import quote, urlsplit

import msgspec

from tandem.lab.bench.measure import Load, cost_of, cpu_each, generate, histogram_of, plan_of
from tandem.lab.bench.probe import Probe
from tandem.lab.bench.results import Measurement, Staleness
from tandem.random_users import random_user

# Paths that are read over and over: more than stay in any cache on the way, few enough to prepare quickly.
PATHS = 20_000
PATIENCE_SECONDS = 5.0


class Reads(msgspec.Struct, frozen=True):
    """A kind of read, and what it reads in turn."""

    kind: str
    paths: tuple[str, ...]


async def reads_of(probe: Probe, shuffle_seed: int = 0) -> list[Reads]:
    """Each kind of read, with paths of users that are there, in random order."""
    users = await probe.some_users(PATHS)
    random.Random(shuffle_seed).shuffle(users)  # noqa: S311 - an order, not a secret
    base = "/api/v1/user-query"
    return [
        Reads("read by id", tuple(f"{base}/{user_id}" for user_id, _ in users)),
        Reads("read by e-mail", tuple(f"{base}/email?email={quote(email, safe='')}" for _, email in users)),
        Reads("list", tuple(f"{base}?limit=10&after={user_id}" for user_id, _ in users)),
    ]


async def measure_reads(probe: Probe, url: str, reads: Reads, load: Load, round_: int = 1) -> Measurement:
    """Read, closed or at a rate."""
    before = await probe.usage()
    outcome = await generate(plan_of(url, load, paths=reads.paths))
    after = await probe.usage()
    latencies = histogram_of(outcome.latencies_ms)
    return Measurement(
        kind=reads.kind,
        round=round_,
        users=outcome.answered,
        seconds=round(outcome.seconds, 3),
        per_second={"read": round(outcome.answered / outcome.seconds, 1)},
        instances=len(probe.running.instances),
        connections=load.connections,
        rate_due=load.rate,
        post_ms=latencies.percentiles(),
        post_histogram=latencies,
        cpu_us_per_user=cpu_each(before, after, outcome.answered)
        | {"generator": round(outcome.cpu_us_per_request, 1)},
        memory_mib=probe.memory(),
        statuses=outcome.statuses,
        generator=cost_of(outcome),
    )


async def measure_staleness(url: str, users: int) -> Staleness:
    """Write a user, read it by its id at once, and again until it is there; that many times, one by one."""
    return await asyncio.to_thread(_staleness, url, users)


def _staleness(url: str, users: int) -> Staleness:
    address = urlsplit(url)
    connection = http.client.HTTPConnection(address.hostname or "127.0.0.1", address.port or 80, timeout=10)
    seed = f"lab-stale-{time.time_ns()}"
    missed, ages_ms = 0, []
    for number in range(users):
        body = msgspec.json.encode(random_user(seed, number))
        _, created = _ask(connection, "POST", f"/api/v1/user-command?seed={seed}", body)
        answered = time.perf_counter()
        path = f"/api/v1/user-query/{msgspec.json.decode(created)['id']}"
        status, _ = _ask(connection, "GET", path)
        missed += status != 200
        while status != 200 and time.perf_counter() - answered < PATIENCE_SECONDS:
            status, _ = _ask(connection, "GET", path)
        ages_ms.append((time.perf_counter() - answered) * 1000)
    connection.close()
    return Staleness(users, round(missed / users, 4), histogram_of(ages_ms).percentiles())


def _ask(
    connection: http.client.HTTPConnection, method: str, path: str, body: bytes | None = None
) -> tuple[int, bytes]:
    connection.request(method, path, body, {"Content-Type": "application/json"} if body else {})
    answer = connection.getresponse()
    return answer.status, answer.read()
