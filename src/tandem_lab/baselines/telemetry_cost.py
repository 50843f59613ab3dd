"""What metrics and traces cost: CPU per user of instances that differ in nothing else, loaded in turn.

    python -m tandem_lab.baselines.telemetry_cost --users 20000 --rounds 5

POSTGRES_URL and MONGODB_URL are the owner's URLs of a stack that is not used for anything else meanwhile.
"""

import argparse
import asyncio
import json
import os
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from operator import truediv
from statistics import median

import aiohttp
from aiohttp import web

from tandem_lab.bench.generator import Plan
from tandem_lab.bench.load import generate
from tandem_lab.bench.proc import cpu_us
from tandem_lab.meanwhile import meanwhile
from tandem_stack.ports import free_port, http_status
from tandem_stack.waiting import until

# An instance that counts nothing. Only the calls of the counters are left, because they cannot be removed.
UNCOUNTED = """
from tandem.histogram import Histogram
from tandem.http.counters import RouteCounters
RouteCounters.count = lambda self, status, seconds: None
Histogram.observe = lambda self, value, times=1: None
from tandem.cli import main
main(["serve"])
"""
SERVE = "from tandem.cli import main; main(['serve'])"
CONNECTIONS = 50

Variant = tuple[str, dict[str, str], bool]


def variants(collector: str) -> dict[str, Variant]:
    """By name: the program, its environment, and whether its metrics are read each second."""
    return {
        "uncounted": (UNCOUNTED, {}, False),
        "metrics": (SERVE, {}, False),
        "metrics, scraped each second": (SERVE, {}, True),
        "traces, 1 of 100": (SERVE, {"TRACES_URL": collector}, True),
        "traces, all": (SERVE, {"TRACES_URL": collector, "TRACES_RATIO": "1"}, True),
    }


@asynccontextmanager
async def serving(
    program: str, environment: dict[str, str]
) -> AsyncIterator[tuple[int, int, aiohttp.ClientSession]]:
    """An instance: its process id, its port, and a session to ask it with."""
    port = free_port()
    given = os.environ | {"PORT": str(port), "APP_ID": f"cost-{port}"} | environment
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, env=given, stdout=asyncio.subprocess.DEVNULL
    )

    async def is_ready_or_has_ended() -> bool:
        return process.returncode is not None or await http_status(port, "/health/ready") == 200

    try:
        await until(is_ready_or_has_ended, None)
        async with aiohttp.ClientSession(f"http://127.0.0.1:{port}", raise_for_status=True) as session:
            yield process.pid, port, session
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def keep_scraping(session: aiohttp.ClientSession) -> None:
    """Read the metrics each second, far more often than Prometheus usually does."""
    while True:
        async with session.get("/metrics") as answer:
            await answer.read()
        await asyncio.sleep(1)


async def synchronized(session: aiohttp.ClientSession, seed: str) -> int:
    """How many users of a run are SYNCRONIZED."""
    async with session.get(f"/api/v1/stats?seed={seed}") as answer:
        return sum(row["synchronized"] for row in await answer.json())


async def measure(
    pid: int, port: int, session: aiohttp.ClientSession, users: int, seed: str
) -> tuple[float, float]:
    """CPU per user of the instance, in us, and users synchronized per second."""
    plan = Plan("127.0.0.1", port, seconds=60, connections=CONNECTIONS, requests=users, seed=seed)
    before, started = cpu_us([pid]), time.monotonic()
    outcome = await generate(plan)
    while await synchronized(session, seed) < outcome.answered:  # noqa: ASYNC110
        await asyncio.sleep(0.2)
    # The generator prepares its requests before it starts to send, and reports when it started.
    seconds = time.monotonic() - max(started, outcome.started_at)
    return (cpu_us([pid]) - before) / outcome.answered, outcome.answered / seconds


@asynccontextmanager
async def collecting() -> AsyncIterator[str]:
    """A collector that throws everything away."""

    async def take(request: web.Request) -> web.Response:
        await request.read()
        return web.Response(content_type="application/x-protobuf")

    app = web.Application(client_max_size=2**30)
    app.router.add_post("/v1/traces", take)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}/v1/traces"
    await runner.cleanup()


async def main(users: int, rounds: int) -> None:
    """Measure all variants in turn, several times. Prints medians, also of the ratios within a round."""
    measured: dict[str, list[tuple[float, float]]] = {}
    async with collecting() as collector:
        for number in range(rounds):
            for name, (program, environment, scraped) in variants(collector).items():
                async with serving(program, environment) as instance:
                    run = f"{os.getpid()}-{number}-{instance[1]}"
                    await measure(*instance, users // 4, f"warm-{run}")
                    async with meanwhile(keep_scraping(instance[2])) if scraped else nullcontext():
                        found = await measure(*instance, users, f"cost-{run}")
                    measured.setdefault(name, []).append(found)
    plain_cpu, plain_rate = zip(*measured["uncounted"], strict=True)
    for name, results in measured.items():
        cpu, rate = zip(*results, strict=True)
        line = {
            "variant": name,
            "cpu_us_per_user": round(median(cpu), 1),
            "users_per_second": round(median(rate)),
            "cpu_ratio": round(median(map(truediv, cpu, plain_cpu)), 3),
            "rate_ratio": round(median(map(truediv, rate, plain_rate)), 3),
        }
        print(json.dumps(line))


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--users", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    asyncio.run(main(arguments.users, arguments.rounds))
