"""What a user costs where the tables have millions of them, beside what it costs where they have few.

    python -m tandem_lab.bench.grown --users 5000000 --beside 50000 --rounds 5

Two stacks of one instance each are filled and measured in turn; while one is measured, the other has nothing
to do. Besides CPU it says what a cache that is too small would show: pages that were read from the disk.
"""

import asyncio
import statistics
import sys
import time
from pathlib import Path
from typing import Any

import asyncpg
import click
import msgspec
from pymongo import AsyncMongoClient

from tandem_lab.bench.load import Load, carry_out, plan_of
from tandem_lab.bench.load_kinds import Kind
from tandem_lab.bench.measure import until_drained
from tandem_lab.bench.multiply import multiply
from tandem_lab.bench.own_stack import address_of, own_stack
from tandem_lab.bench.probe import Probe
from tandem_stack.status import Status

SERVERS = ("instances", "postgres", "mongodb")
PAGES = {
    "PG hit": "SELECT sum(blks_hit)::bigint FROM pg_stat_database",
    "PG read": "SELECT sum(blks_read)::bigint FROM pg_stat_database",
}
CACHE = {
    "WT read": "pages read into cache",
    "WT written": "pages written from cache",
    "WT evicted": "modified pages evicted by application threads",
}


class Cost(msgspec.Struct, frozen=True):
    """What one round has shown: CPU in us, and pages, for each user."""

    users: int
    cpu: dict[str, float]
    pages: dict[str, float]
    #: How many cores others kept busy.
    others: float

    @property
    def servers(self) -> float:
        """CPU us of all servers."""
        return sum(self.cpu[name] for name in SERVERS)


async def pages_of(running: Status) -> dict[str, int]:
    """How many pages the caches have found, read, written and evicted so far."""
    connection = await asyncpg.connect(running.postgres.url, timeout=10)
    try:
        found = {name: await connection.fetchval(sql) for name, sql in PAGES.items()}
    finally:
        await connection.close()
    async with AsyncMongoClient[Any](running.mongodb.url) as client:
        cache = (await client.admin.command("serverStatus"))["wiredTiger"]["cache"]
    return found | {name: int(cache.get(member, 0)) for name, member in CACHE.items()}


async def measure(probe: Probe, load: Load) -> Cost:
    """Create users for a while.

    Raises:
        NotDrained, GeneratorFailed: see `measure_creates`.
    """
    seed = f"lab-{time.time_ns()}"
    before = await pages_of(probe.running)
    run = await carry_out(
        probe, plan_of(address_of(probe.running), load, seed=seed), lambda _: until_drained(probe, seed)
    )
    after = await pages_of(probe.running)
    users = run.outcome.answered
    found = run.measurement(Kind.CLOSED, 0, users)
    pages = {name: round((after[name] - before[name]) / max(users, 1), 2) for name in after}
    return Cost(users, found.cpu_us_per_user, pages, found.others_busy or 0.0)


async def compare(place: Path, sizes: tuple[int, int], load: Load, rounds: int) -> list[tuple[Cost, Cost]]:
    """Fill two stacks, measure them in turn: of each round, what a user costs in the few and in the many."""
    async with (
        own_stack(place / "few", 1) as few,
        own_stack(place / "many", 1) as many,
        Probe.open(few.running) as of_few,
        Probe.open(many.running) as of_many,
    ):
        for probe, users in zip((of_few, of_many), sizes, strict=True):
            began = time.monotonic()
            await multiply(probe, address_of(probe.running), users)
            click.echo(f"{await probe.users():,} users in {time.monotonic() - began:,.0f} s")
        for probe in (of_few, of_many):
            await measure(probe, load)  # warms up
        found = []
        for number in range(rounds):
            costs = {probe: await measure(probe, load) for probe in _in_turn(number, of_few, of_many)}
            found.append((costs[of_few], costs[of_many]))
            _say(number, *found[-1])
        return found


def _in_turn(number: int, *probes: Probe) -> tuple[Probe, ...]:
    """Once in this order, and once the other way round."""
    return probes if number % 2 == 0 else probes[::-1]


def _say(number: int, few: Cost, many: Cost) -> None:
    click.echo(f"round {number + 1}: {many.servers / few.servers:.3f}")
    for name, cost in (("few", few), ("many", many)):
        cpu = ", ".join(f"{server} {cost.cpu[server]:.1f}" for server in SERVERS)
        pages = ", ".join(f"{page} {count:g}" for page, count in cost.pages.items())
        click.echo(f"  {name:4} {cost.servers:6.1f} us ({cpu}); {pages}; others {cost.others:.2f} cores")


@click.command(help=(__doc__ or "").partition("\n\n")[0])
@click.option("--users", type=click.IntRange(40_000, 100_000_000), default=5_000_000, show_default=True)
@click.option("--beside", type=click.IntRange(20_000, 100_000_000), default=50_000, show_default=True)
@click.option("--rounds", type=click.IntRange(1, 50), default=5, show_default=True)
@click.option("--seconds", type=click.FloatRange(1, 600), default=8.0, show_default=True)
@click.option("--connections", type=click.IntRange(1, 2000), default=200, show_default=True)
@click.option("--at-most", type=click.FloatRange(min=0), help="Exit 1 if the median of the ratios is higher.")
@click.option("--place", type=click.Path(file_okay=False, path_type=Path), default=Path("grown"))
def main(place: Path, **choices: Any) -> None:
    """Fill, measure in turn, and print medians."""
    load, rounds = Load(choices["seconds"], choices["connections"]), choices["rounds"]
    sizes = (choices["beside"], choices["users"])
    found = asyncio.run(compare(place.absolute(), sizes, load, rounds))
    ratio = statistics.median(many.servers / few.servers for few, many in found)
    click.echo(f"All servers, CPU of a user: {ratio:.3f} (median of {rounds} rounds)")
    for server in SERVERS:
        each = [[cost.cpu[server] for cost in costs] for costs in zip(*found, strict=True)]
        few, many = map(statistics.median, each)
        click.echo(f"  {server:9} {few:6.1f} -> {many:6.1f} us: {many / max(few, 0.1):.3f}")
    if choices["at_most"] is not None and ratio > choices["at_most"]:
        sys.exit(1)


if __name__ == "__main__":
    main()
