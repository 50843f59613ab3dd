"""How fast the running stack is, beside the floor on the same servers: rates, CPU per user, lag.

    tandem up --instances 1      (in another terminal)
    python benchmarks/speed.py --url http://127.0.0.1:3101 --floor --reads

Needs wrk. The rate counts SYNCRONIZED events in PostgreSQL by their own times, not HTTP answers. CPU is user
and system time of whole processes, the databases' with all of their children, over the run and its drain.
"""

import argparse
import asyncio
import json
import os
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

import asyncpg
import msgspec

from tandem.lab.bench.probe import cpu_of
from tandem.local_stack.status import Status, read_status
from tandem.random_users import random_user

HERE = Path(__file__).parent
RATE_OF_RUN = """
    select count(*) as users,
           count(*) / extract(epoch from max(created_at) - min(created_at))::float8 as users_per_second
    from prm_user_event where seed = $1 and event_type = 'SYNCRONIZED'
"""


def wrk(script: str, url: str, connections: int, seconds: int, **environment: str) -> dict[str, Any]:
    """One run of wrk with one thread."""
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "-s", str(HERE / script), url]
    finished = subprocess.run(
        command, env=os.environ | environment, capture_output=True, check=True, text=True
    )
    return dict(json.loads(finished.stdout.splitlines()[-1]))


async def drained(url: str, seed: str) -> dict[str, Any]:
    """The run's statistics once nothing of it is pending, its instances put together."""
    address = f"{url}/api/v1/stats?seed={seed}"
    while True:
        rows = json.loads(await asyncio.to_thread(read, address))
        if rows and not any(row["pending"] for row in rows):
            return {"instances": {row["appId"]: row["total"] for row in rows}, "lagMs": rows[0]["lagMs"]}
        await asyncio.sleep(0.2)


def read(address: str) -> bytes:
    """The body of the answer."""
    with urllib.request.urlopen(address, timeout=30) as answer:
        return bytes(answer.read())


async def creates(
    running: Status, url: str, connections: int, seconds: int, delay_ms: int = 0
) -> dict[str, Any]:
    """Push users for some seconds, wait until all are synchronized, and tell what it took."""
    seed = f"speed-{time.time_ns()}"
    user = msgspec.json.encode(random_user("speed", 1)).decode()
    before = cpu_of(running)
    answered = await asyncio.to_thread(
        wrk, "create.lua", url, connections, seconds, SEED=seed, USER_JSON=user, DELAY_MS=str(delay_ms)
    )
    statistics = await drained(url, seed)
    after = cpu_of(running)
    connection = await asyncpg.connect(running.postgres.url)
    users, rate = await connection.fetchrow(RATE_OF_RUN, seed)
    await connection.close()
    cpu = {name: round((after[name] - before[name]) / users, 1) for name in after}
    return {
        "connections": connections,
        "synchronized_per_second": round(rate),
        "post_ms": {"p50": answered["p50_ms"], "p99": answered["p99_ms"]},
        "lag_ms": statistics["lagMs"],
        "failed": answered["failed"],
        "cpu_us_per_user": cpu,
        "users_of_instances": statistics["instances"],
    }


def floor(running: Status, users: int) -> str:
    """A run of `floor.py` against the stack's own servers."""
    urls = {"POSTGRES_URL": str(running.postgres.url), "MONGODB_URL": str(running.mongodb.url)}
    command = [sys.executable, str(HERE / "floor.py"), "--users", str(users), "--lanes", "2", "3"]
    return subprocess.run(command, env=os.environ | urls, capture_output=True, check=True, text=True).stdout


async def reads(running: Status, url: str, seconds: int) -> dict[str, Any]:
    """Reads by e-mail through the instance, and the plain way on the same documents, in turn."""
    plain_port = 3999
    environment = os.environ | {"MONGODB_URL": str(running.mongodb.url)}
    command = [sys.executable, str(HERE / "plain_reads.py"), str(plain_port)]
    plain = subprocess.Popen(command, env=environment)  # noqa: ASYNC220 - it runs beside us
    await asyncio.sleep(2)
    rates: dict[str, list[int]] = {"coalesced": [], "plain": []}
    try:
        for _ in range(3):
            for name, address in (("coalesced", url), ("plain", f"http://127.0.0.1:{plain_port}")):
                answered = await asyncio.to_thread(wrk, "read.lua", address, 50, seconds, READ_USERS="20000")
                assert answered["failed"] == 0, answered
                rates[name].append(round(answered["requests"] / seconds))
    finally:
        plain.terminate()
        plain.wait()
    ratios = [coalesced / plain for coalesced, plain in zip(rates["coalesced"], rates["plain"], strict=True)]
    return rates | {"ratio": [round(ratio, 1) for ratio in ratios]}


async def main() -> None:
    """Measure and print, a line of JSON each."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--url", default="http://127.0.0.1:3101", help="an instance, or the load balancer")
    parser.add_argument("--data-dir", type=Path, default=Path(".tandem"))
    parser.add_argument("--seconds", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--floor", action="store_true", help="measure the floor before each round")
    parser.add_argument("--reads", action="store_true", help="measure reads by e-mail too")
    arguments = parser.parse_args()
    running = read_status(arguments.data_dir.absolute())
    if running is None:
        sys.exit(f"No stack is running on {arguments.data_dir}. Start one with `tandem up`.")
    for _ in range(arguments.rounds):
        if arguments.floor:
            print("floor:", *floor(running, 40_000).split("\n"))
        print(json.dumps(await creates(running, arguments.url, 200, arguments.seconds)))
    print(json.dumps(await creates(running, arguments.url, 6, arguments.seconds)))
    print(json.dumps(await creates(running, arguments.url, 1, arguments.seconds)))
    # 200 connections that pause 35 ms on average between requests: some 5,000 users/s.
    print(json.dumps(await creates(running, arguments.url, 200, arguments.seconds, delay_ms=35)))
    if arguments.reads:
        print(json.dumps(await reads(running, arguments.url, arguments.seconds)))


if __name__ == "__main__":
    asyncio.run(main())
