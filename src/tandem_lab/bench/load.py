"""Putting a load on a system: runs the generator, and counts what is used from its first request on."""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

import msgspec

from tandem_lab.bench.children import child, last_words
from tandem_lab.bench.generator import Outcome, Plan
from tandem_lab.bench.load_kinds import Kind
from tandem_lab.bench.probe import Usage
from tandem_lab.bench.results import GeneratorCost, Measurement
from tandem_lab.errors import GeneratorFailed
from tandem_lab.histogram import LatencyHistogram

# A closed load prepares this many requests for each second, more than any instance here has answered. With
# few connections it prepares `MOST_A_CONNECTION` for each of them.
MOST_CREATES_A_SECOND, MOST_READS_A_SECOND = 20_000, 40_000
MOST_A_CONNECTION = 2_000


class Load(msgspec.Struct, frozen=True):
    """How long a load lasts, over how many connections, and at which rate (None: as fast as it goes)."""

    seconds: float
    connections: int
    rate: float | None = None


class Run(msgspec.Struct, frozen=True):
    """A load that was carried out, and the totals of what had been used before it and after it."""

    plan: Plan
    outcome: Outcome
    before: Usage
    after: Usage

    def measurement(self, kind: Kind, round_: int, users: int) -> Measurement:
        """What this run shows of `users` users that were created or read."""
        outcome, before, after = self.outcome, self.before, self.after
        latencies = histogram_of(outcome.latencies_ms)
        cost = GeneratorCost(
            round(outcome.cpu_us_per_request, 1), round(outcome.busy, 3), round(outcome.latest_ms, 2)
        )
        return Measurement(
            kind=kind,
            round=round_,
            users=users,
            seconds=round(outcome.seconds, 3),
            per_second={},
            connections=self.plan.connections,
            rate_due=self.plan.rate,
            post_ms=latencies.percentiles(),
            post_histogram=latencies,
            cpu_us_per_user=after.cpu_each(before, users) | {"generator": cost.cpu_us_per_request},
            event_loop_us_per_user=round((after.event_loops_us - before.event_loops_us) / max(users, 1), 1),
            waiting_for_core=after.waiting_for_core(before),
            waiting_for_disk=after.waiting_for_disk(before),
            others_busy=after.others_busy(before),
            wal_bytes_per_user=round((after.wal_bytes - before.wal_bytes) / max(users, 1), 1),
            journal_bytes_per_user=round((after.journal_bytes - before.journal_bytes) / max(users, 1), 1),
            statuses=outcome.statuses,
            generator=cost,
        )


class UsageProbe(Protocol):
    """Knows what has been used so far."""

    async def usage(self) -> Usage:
        """All totals now."""


async def carry_out(
    probe: UsageProbe, plan: Plan, until_done: Callable[[Outcome], Awaitable[None]] | None = None
) -> Run:
    """Send the plan's requests, and count what is used until `until_done` has returned.

    Raises:
        GeneratorFailed: the load was not carried out.
    """
    async with _prepared(plan) as send:
        before = await probe.usage()
        outcome = await send()
        if until_done is not None:
            await until_done(outcome)
        after = await probe.usage()
    return Run(plan, outcome, before, after)


async def generate(plan: Plan) -> Outcome:
    """Send the plan's requests.

    Raises:
        GeneratorFailed: the load was not carried out.
    """
    async with _prepared(plan) as send:
        return await send()


def plan_of(url: str, load: Load, *, seed: str | None = None, paths: tuple[str, ...] = ()) -> Plan:
    """The generator's plan: create users in the run `seed`, or read `paths`."""
    address = urlsplit(url)
    most = MOST_CREATES_A_SECOND if seed is not None else MOST_READS_A_SECOND
    rate = load.rate or min(most, MOST_A_CONNECTION * load.connections)
    return Plan(
        host=address.hostname or "127.0.0.1",
        port=address.port or 80,
        seconds=load.seconds,
        connections=load.connections,
        rate=load.rate,
        requests=int(load.seconds * rate),
        seed=seed,
        paths=paths,
    )


def histogram_of(milliseconds: list[float]) -> LatencyHistogram:
    """All these latencies in one histogram."""
    histogram = LatencyHistogram()
    for latency_ms in milliseconds:
        histogram.record(latency_ms)
    return histogram


@asynccontextmanager
async def _prepared(plan: Plan) -> AsyncIterator[Callable[[], Awaitable[Outcome]]]:
    """Start the generator and let it prepare its requests. Gives the function that sends them."""
    with tempfile.TemporaryDirectory(prefix="tandem-lab-") as folder:
        plan_file, outcome_file = Path(folder, "plan.json"), Path(folder, "outcome.json")
        await asyncio.to_thread(plan_file.write_bytes, msgspec.json.encode(plan))
        arguments = (str(plan_file), str(outcome_file))
        module = "tandem_lab.bench.peer_generator" if plan.peer else "tandem_lab.bench.generator"
        async with child(module, *arguments) as process:

            async def send() -> Outcome:
                _, errors = await process.communicate(b"go\n")
                if process.returncode != 0:
                    raise GeneratorFailed(f"The load generator could not send: {last_words(errors)}")
                return msgspec.json.decode(await asyncio.to_thread(outcome_file.read_bytes), type=Outcome)

            assert process.stdout is not None  # noqa: S101 - narrows the type: it is a pipe
            await process.stdout.readline()
            yield send
