"""What heavy reads cost an instance in memory, and what they do to the flow beside them.

    python -m tandem_lab.baselines.heavy_reads --lists 40 --searches 400

Starts a stack of its own with one instance, and prints a line of JSON for each of four situations:

* lists: `--lists` requests at once, each for 1,000 users of 38 KB;
* creates alone, at a fixed rate;
* the same creates beside `--searches` requests at once, each of which reads 20,000 documents;
* searches whose clients disconnect: how many of them MongoDB is still busy with afterwards.
"""

import argparse
import asyncio
import json
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import aiohttp
from pymongo import AsyncMongoClient

from tandem_lab.bench.fill import fill
from tandem_lab.bench.load import Load, generate, plan_of
from tandem_lab.bench.measure import until_drained
from tandem_lab.bench.own_stack import address_of, own_stack
from tandem_lab.bench.probe import Probe
from tandem_stack.status import InstanceStatus, Status

LARGE_USERS = 1_000
SMALL_USERS = 45_000
RATE, SECONDS = 500.0, 15.0
LIST = f"/api/v1/user-query?limit={LARGE_USERS}&seed=large"
JSON = {"Content-Type": "application/json"}
SEARCH = "/api/v1/user-query/search?name=nobody-has-this-name"


def large_user(number: int) -> dict[str, Any]:
    """A user whose texts all have the greatest length allowed: 38 KB as JSON."""
    text, url = "\N{GRINNING FACE}" * 200, "\N{GRINNING FACE}" * 2_000
    place = {"city": text, "state": text, "postcode": text, "street": text, "country": "Iran"}
    exact = {"coordinates": {"latitude": text, "longitude": text}, "timezone": {"offset": text}}
    return {
        "email": f"{number}@example.com",
        "gender": text,
        "name": {"title": text, "first": text, "last": text},
        "location": place | exact,
        "login": {"username": text, "uuid": text},
        "picture": {"large": url, "medium": url, "thumbnail": url},
        "phone": text,
        "cell": text,
        "id": {"name": text, "value": text},
    }


def memory_mib(pid: int, field: str) -> float:
    """`VmRSS` (now) or `VmHWM` (the most since the last reset) of a process."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(field):
            return round(int(line.split()[1]) / 1024, 1)
    raise KeyError(field)


def reset_peak(pid: int) -> None:
    """Set `VmHWM` back to the memory used now."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")


async def ask_at_once(base: str, path: str, times: int, seconds: float = 120) -> dict[str, Any]:
    """Send this many requests for one path at once. Clients disconnect after `seconds`."""
    statuses: Counter[str] = Counter()
    size = 0
    timeout = aiohttp.ClientTimeout(total=seconds)

    async def one() -> None:
        nonlocal size
        try:
            async with session.get(base + path) as answer:
                async for chunk in answer.content.iter_chunked(65_536):
                    size += len(chunk)
                statuses[str(answer.status)] += 1
        except (TimeoutError, aiohttp.ClientError) as error:
            statuses[type(error).__name__] += 1

    started = time.monotonic()
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:
        await asyncio.gather(*(one() for _ in range(times)))
    taken = round(time.monotonic() - started, 2)
    return {"statuses": dict(statuses), "mib": round(size / 2**20, 1), "seconds": taken}


async def create_large_users(base: str) -> None:
    """Send `LARGE_USERS` users, one after the other."""
    url = f"{base}/api/v1/user-command?seed=large"
    async with aiohttp.ClientSession() as session:
        for number in range(LARGE_USERS):
            body = json.dumps(large_user(number), ensure_ascii=False).encode()
            async with session.post(url, data=body, headers=JSON) as answer:
                answer.raise_for_status()


async def statistics_of(base: str, seed: str) -> dict[str, Any]:
    """The statistics of a run that one instance has created."""
    async with aiohttp.ClientSession() as session, session.get(f"{base}/api/v1/stats?seed={seed}") as answer:
        (row,) = await answer.json()
        return dict(row)


async def measure_lists(instance: InstanceStatus, base: str, lists: int) -> dict[str, Any]:
    """Memory before, at its highest, and ten seconds after."""
    pid = instance.pid or 0
    before = memory_mib(pid, "VmRSS")
    reset_peak(pid)
    outcome = await ask_at_once(base, LIST, lists)
    peak = memory_mib(pid, "VmHWM")
    await asyncio.sleep(10)
    found = {"before_mib": before, "peak_mib": peak, "after_mib": memory_mib(pid, "VmRSS")}
    return {"lists": lists, **found, **outcome}


async def measure_creates(probe: Probe, base: str, seed: str, searches: int) -> dict[str, Any]:
    """Lag and latency of creates at a fixed rate, beside this many searches from the third second on."""
    plan = plan_of(base, Load(SECONDS, connections=50, rate=RATE), seed=seed)

    async def search() -> dict[str, Any]:
        await asyncio.sleep(3)
        return await ask_at_once(base, SEARCH, searches) if searches else {}

    outcome, found = await asyncio.gather(generate(plan), search())
    await until_drained(probe, seed)
    row = await statistics_of(base, seed)
    lags = {name: row[name] for name in row if "lag" in name.lower()}
    slowest = max(outcome.latencies_ms)
    return {"beside_searches": searches, **lags, "slowest_post_ms": round(slowest), **found}


async def measure_leaving(running: Status, base: str, searches: int) -> dict[str, Any]:
    """Clients that disconnect after half a second, and what MongoDB still does for them a second later."""
    outcome = await ask_at_once(base, SEARCH, searches, seconds=0.5)
    await asyncio.sleep(1)
    busy = []
    started = time.monotonic()
    async with AsyncMongoClient[dict[str, Any]](running.mongodb.url) as client:
        while True:
            operations = await (await client.admin.aggregate([{"$currentOp": {"allUsers": True}}])).to_list()
            named = [op for op in operations if op.get("ns") == "tandem.users" and op.get("active")]
            busy.append(len(named))
            if not named or time.monotonic() - started > 120:
                break
            await asyncio.sleep(0.25)
    return {
        "left": searches,
        **outcome,
        "busy_1_s_later": busy[0],
        "busy_for_s": round(time.monotonic() - started, 1),
    }


async def main(lists: int, searches: int) -> None:
    """Measure all four situations, one after the other."""
    async with own_stack(Path(tempfile.gettempdir()) / "heavy-reads", 1) as stack:
        running = stack.running
        (instance,) = running.instances
        base = address_of(running)
        async with Probe.open(running) as probe:
            await fill(probe, base, SMALL_USERS)
            await create_large_users(base)
            await until_drained(probe, "large")
            for measuring in (
                measure_lists(instance, base, lists),
                measure_creates(probe, base, "alone", 0),
                measure_creates(probe, base, "beside", searches),
                measure_leaving(running, base, searches),
            ):
                print(json.dumps(await measuring), flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--lists", type=int, default=40)
    parser.add_argument("--searches", type=int, default=400)
    arguments = parser.parse_args()
    asyncio.run(main(arguments.lists, arguments.searches))
