"""Reads: how many a second, at what latency and cost, and how stale one is that follows its write at once."""

import asyncio
import http.client
import random
import time
from urllib.parse import quote, urlsplit

import msgspec

from tandem.random_users import random_user
from tandem_lab.bench.generator import Outcome
from tandem_lab.bench.load import Load, carry_out, histogram_of, plan_of
from tandem_lab.bench.load_kinds import Kind
from tandem_lab.bench.measure import asked_of, measure_creates
from tandem_lab.bench.probe import Probe
from tandem_lab.bench.results import Measurement, Staleness

# Paths that are read over and over: more than stay in any cache on the way, few enough to prepare quickly.
PATHS = 20_000
PATIENCE_SECONDS = 5.0


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
    run = await carry_out(probe, plan_of(url, load, paths=paths), _at_once)
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
    """Write a user, read it by its id at once, and again until it is there; that many times, one by one."""
    return await asyncio.to_thread(_staleness, url, users)


async def _at_once(_: Outcome) -> None:
    """A read leaves nothing behind to wait for."""


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
