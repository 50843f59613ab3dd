"""What metrics and traces cost: CPU per user of instances that differ in nothing else, loaded in turn.

    python -m tandem_lab.baselines.telemetry_cost --users 20000 --rounds 5

Takes the owner's URLs from POSTGRES_URL and MONGODB_URL, of a stack that nobody uses meanwhile.
"""

import argparse
import asyncio
import json
import os
import statistics
import sys
import time
import urllib.request
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext

from aiohttp import web

from tandem_lab.bench.generator import Plan
from tandem_lab.bench.load import generate
from tandem_lab.bench.proc import cpu_us
from tandem_stack.ports import free_port, http_status

# Instances without any counting, as far as it can be taken away: the calls are still made.
UNCOUNTED = """
from tandem.telemetry.histogram import Histogram
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
    """Name to program, environment, and whether it is scraped each second."""
    return {
        "uncounted": (UNCOUNTED, {}, False),
        "metrics": (SERVE, {}, False),
        "metrics, scraped each second": (SERVE, {}, True),
        "traces, 1 of 100": (SERVE, {"TRACES_URL": collector}, True),
        "traces, all": (SERVE, {"TRACES_URL": collector, "TRACES_RATIO": "1"}, True),
    }


@asynccontextmanager
async def serving(program: str, environment: dict[str, str]) -> AsyncIterator[tuple[int, int]]:
    """An instance: its process and its port."""
    port = free_port()
    given = os.environ | {"PORT": str(port), "APP_ID": f"cost-{port}"} | environment
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, env=given, stdout=asyncio.subprocess.DEVNULL
    )
    try:
        while process.returncode is None and await http_status(port, "/health/ready") != 200:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
        yield process.pid, port
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


@asynccontextmanager
async def scraping(port: int) -> AsyncIterator[None]:
    """Scrape each second, as a Prometheus in a hurry does."""
    address = f"http://127.0.0.1:{port}/metrics"

    async def scrape() -> None:
        while True:
            await asyncio.to_thread(lambda: urllib.request.urlopen(address).read())
            await asyncio.sleep(1)

    task = asyncio.create_task(scrape())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])


def synchronized(port: int, seed: str) -> int:
    """How many users of a run have come to the end of their flow."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/v1/stats?seed={seed}") as answer:
        return sum(row["synchronized"] for row in json.load(answer))


async def measure(pid: int, port: int, users: int, seed: str) -> tuple[float, float]:
    """CPU per user of the instance, in us, and users synchronized per second."""
    plan = Plan("127.0.0.1", port, seconds=60, connections=CONNECTIONS, requests=users, seed=seed)
    before, started = cpu_us([pid]), time.monotonic()
    outcome = await generate(plan)
    while await asyncio.to_thread(synchronized, port, seed) < outcome.answered:  # noqa: ASYNC110
        await asyncio.sleep(0.2)
    # The generator prepares its requests before it starts; its own clock tells when that was.
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
    """All variants in turn, several times; medians, and the median of the ratios of one round."""
    measured: dict[str, list[tuple[float, float]]] = {}
    async with collecting() as collector:
        for number in range(rounds):
            for name, (program, environment, scraped) in variants(collector).items():
                async with serving(program, environment) as (pid, port):
                    await measure(pid, port, users // 4, f"warm-{os.getpid()}-{number}-{port}")
                    seed = f"cost-{os.getpid()}-{number}-{port}"
                    async with scraping(port) if scraped else nullcontext():
                        found = await measure(pid, port, users, seed)
                    measured.setdefault(name, []).append(found)
    plain = measured["uncounted"]
    for name, results in measured.items():
        line = {
            "variant": name,
            "cpu_us_per_user": round(statistics.median(cpu for cpu, _ in results), 1),
            "users_per_second": round(statistics.median(rate for _, rate in results)),
            "cpu_ratio": round(
                statistics.median(cpu / base for (cpu, _), (base, _) in zip(results, plain, strict=True)), 3
            ),
            "rate_ratio": round(
                statistics.median(rate / base for (_, rate), (_, base) in zip(results, plain, strict=True)), 3
            ),
        }
        print(json.dumps(line))


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--users", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    asyncio.run(main(arguments.users, arguments.rounds))
