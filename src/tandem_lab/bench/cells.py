"""The plan of `tandem scale --cells`: the same load for each cell, over several numbers of cells.

Each number gets a stack of its own with empty tables. Every cell has the same share of CPU, small enough that
all of them together leave the load generator and the load balancer enough: then what K cells carry shows how
they scale, and not how many cores there are.
"""

import os
import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from tandem_lab.bench.environment import environment_of
from tandem_lab.bench.load import Load, Run, carry_out, histogram_of, plan_of
from tandem_lab.bench.load_kinds import Kind
from tandem_lab.bench.measure import until_drained
from tandem_lab.bench.own_stack import HostOptions, own_hosts
from tandem_lab.bench.probe import Probe, Usage, pids_of
from tandem_lab.bench.proc import cpu_us
from tandem_lab.bench.results import Measurement, Report
from tandem_lab.bench.steps import OVERHEAD, Step, Tell, take_steps
from tandem_lab.hosts import alone
from tandem_stack.status import Status

START_AND_END_SECONDS = 30.0


class CellsPlan(msgspec.Struct, frozen=True):
    """What to measure: so many cells in turn, each with so much CPU and so many connections of its own."""

    cells: tuple[int, ...] = (1, 2, 3, 4)
    cpu_per_cell: float = 0.25
    seconds: float = 8.0
    rounds: int = 3
    warm_up_seconds: float = 3.0
    connections_per_cell: int = 40
    #: Names the users: the same seed makes the same ones.
    seed: str = "cells"


#: A first look: under three minutes on an idle machine.
QUICK_CELLS = CellsPlan(cells=(1, 2, 3), seconds=4.0, rounds=1)


async def scale_cells(beside: Path, plan: CellsPlan, tell: Tell) -> Report:
    """Measure on the lab's own stacks, whose data is on the same disk as the folder `beside`.

    Raises:
        StackError: a stack did not start.
        NotDrained, GeneratorFailed: see `measure_creates`.
        OSError, PostgresError, PyMongoError: a server of a stack does not answer.
    """
    begun_at = datetime.now(UTC).isoformat(timespec="seconds")
    work = ScaleCells(beside, plan)
    await take_steps(list(work.steps()), work.found, tell)
    return Report(
        kind="scale",
        begun_at=begun_at,
        command=sys.argv,
        environment=work.environment,
        measurements=work.found,
    )


class ScaleCells:
    """The steps of a plan, and what they have found."""

    def __init__(self, beside: Path, plan: CellsPlan) -> None:
        self.found: list[Measurement] = []
        self.environment: dict[str, Any] = {}
        self._beside = beside
        self._plan = plan

    def steps(self) -> Iterator[Step]:
        """All steps; every second round goes from the most cells down."""
        plan = self._plan
        for round_ in range(1, plan.rounds + 1):
            for count in plan.cells if round_ % 2 else reversed(plan.cells):
                yield Step(
                    f"round {round_} of {plan.rounds}: {count} cell{'s' if count > 1 else ''}, each with "
                    f"{plan.cpu_per_cell:g} cores and {plan.connections_per_cell} connections",
                    START_AND_END_SECONDS + (plan.warm_up_seconds + plan.seconds) * OVERHEAD,
                    partial(self._measure, count, round_),
                )

    async def _measure(self, count: int, round_: int) -> list[Measurement]:
        plan = self._plan
        options = HostOptions(cells=count, hosts_per_cell=1, cpu_per_cell=plan.cpu_per_cell)
        async with own_hosts(self._beside, options) as stack, probes_of(stack.running) as probe:
            if not self.environment:
                self.environment = await environment_of(probe.probes[0], stack.data_dir)
                self.environment |= {"cells": list(plan.cells), "cpu_per_cell": plan.cpu_per_cell}
            connections = plan.connections_per_cell * count
            warm_up = Load(plan.warm_up_seconds, connections)
            await measure_cells(probe, str(stack.running.url), warm_up, 0, f"{plan.seed}-{round_}-warm-up")
            load = Load(plan.seconds, connections)
            return [await measure_cells(probe, str(stack.running.url), load, round_, f"{plan.seed}-{round_}")]


class Probes:
    """Asks all cells of a running stack at once; see `Probe`."""

    def __init__(self, probes: Sequence[Probe], balancer: int | None) -> None:
        self.probes = probes
        self._balancer = [] if balancer is None else [balancer]

    async def usage(self) -> Usage:
        """All totals now, of all cells together, and of the load balancer."""
        cells = [await probe.usage() for probe in self.probes]
        pids = [pid for probe in self.probes for roots in pids_of(probe.running).values() for pid in roots]
        balancer = cpu_us(self._balancer)
        return Usage(
            cpu_us=_summed([each.cpu_us for each in cells]) | {"haproxy": balancer},
            event_loops_us=sum(each.event_loops_us for each in cells),
            core_wait_us=_summed([each.core_wait_us for each in cells]),
            wal_bytes=sum(each.wal_bytes for each in cells),
            journal_bytes=sum(each.journal_bytes for each in cells),
            machine=cells[-1].machine,
            ours_us=cpu_us([os.getpid(), *pids, *self._balancer]),
        )

    async def stored_bytes(self) -> dict[str, int]:
        """See `Probe.stored_bytes`."""
        return _summed([await probe.stored_bytes() for probe in self.probes])


@asynccontextmanager
async def probes_of(running: Status) -> AsyncIterator[Probes]:
    """Connect to the servers of all cells."""
    async with AsyncExitStack() as opened:
        probes = [await opened.enter_async_context(Probe.open(alone(cell))) for cell in running.cells]
        yield Probes(probes, running.load_balancer.pid)


async def measure_cells(probe: Probes, url: str, load: Load, round_: int, seed: str) -> Measurement:
    """Create users over all cells for some seconds, wait until all are synchronized, and say what it took.

    Raises:
        NotDrained, GeneratorFailed: see `measure_creates`.
    """

    async def drained(_: object) -> None:
        for cell in probe.probes:
            await until_drained(cell, seed)

    before = await probe.stored_bytes()
    run = await carry_out(probe, plan_of(url, load, seed=seed), drained)
    after = await probe.stored_bytes()
    return await _measured(probe, run, round_, seed, {name: after[name] - before[name] for name in after})


async def _measured(probe: Probes, run: Run, round_: int, seed: str, stored: dict[str, int]) -> Measurement:
    synchronized = [await each.synchronized(seed) for each in probe.probes]
    users, outcome = sum(count for count, _ in synchronized), run.outcome
    of_instances = [await each.users_of_instances(seed) for each in probe.probes]
    lags = [lag for each in probe.probes for lag in await each.lags_ms(seed)]
    return msgspec.structs.replace(
        run.measurement(Kind.CLOSED, round_, users),
        per_second={
            "accepted": round(outcome.answered / outcome.seconds, 1),
            "synchronized": round(sum(rate for _, rate in synchronized), 1),
        },
        instances=sum(len(each.running.instances) for each in probe.probes),
        cells=len(probe.probes),
        lag_ms=histogram_of(lags).percentiles(),
        memory_mib=_summed([each.memory() for each in probe.probes]),
        users_of_instances={name: count for each in of_instances for name, count in each.items()},
        stored_bytes_per_user={name: round(size / max(users, 1), 1) for name, size in stored.items()},
    )


def _summed(parts: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The sums by name of what all of them have."""
    names = [name for name in parts[0] if all(name in part for part in parts)]
    return {name: sum(part[name] for part in parts) for name in names}
