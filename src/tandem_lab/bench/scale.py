"""The plan of `tandem scale`: the same users and the same load at several numbers of instances.

Each number gets a stack of its own with empty tables, so that all begin alike. Each round takes all numbers,
every second round from the largest down, so that a slow change of the machine affects all of them alike.
"""

import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from tandem_lab.bench.environment import environment_of
from tandem_lab.bench.load import Load
from tandem_lab.bench.measure import measure_creates
from tandem_lab.bench.own_stack import address_of, own_stack
from tandem_lab.bench.probe import Probe
from tandem_lab.bench.results import Measurement, Report
from tandem_lab.bench.steps import OVERHEAD, WARM_UP_CONNECTIONS, Step, Tell, take_steps
from tandem_stack.status import Status

START_AND_END_SECONDS = 5.0


class ScalePlan(msgspec.Struct, frozen=True):
    """What to measure: `instances` behind nginx under one load, then one without nginx under several."""

    seconds: float = 8.0
    rounds: int = 3
    warm_up_seconds: float = 2.0
    instances: tuple[int, ...] = (1, 2, 3, 4, 5, 6)
    connections: int = 200
    #: The loads of one instance without nginx.
    connections_of_one: tuple[int, ...] = (1, 2, 6, 16, 50, 100, 200, 400)
    #: Names the users: the same seed makes the same users at every number of instances.
    seed: str = "scale"


#: A first look: under two minutes on an idle machine.
QUICK = ScalePlan(
    seconds=2.0, rounds=2, warm_up_seconds=1.0, instances=(1, 2, 3), connections_of_one=(6, 50, 200)
)


async def scale(beside: Path, plan: ScalePlan, tell: Tell) -> Report:
    """Measure on the lab's own stacks, whose data is on the same disk as the folder `beside`.

    Raises:
        StackError: a stack did not start.
        NotDrained, GeneratorFailed: see `measure_creates`.
        OSError, PostgresError, PyMongoError: a server of a stack does not answer.
    """
    begun_at = datetime.now(UTC).isoformat(timespec="seconds")
    work = Scale(beside, plan)
    await take_steps(list(work.steps()), work.found, tell)
    return Report(
        kind="scale",
        begun_at=begun_at,
        command=sys.argv,
        environment=work.environment,
        measurements=work.found,
    )


class Scale:
    """The steps of a plan, and what they have found."""

    def __init__(self, beside: Path, plan: ScalePlan) -> None:
        self.found: list[Measurement] = []
        self.environment: dict[str, Any] = {}
        self._beside = beside
        self._plan = plan

    def steps(self) -> Iterator[Step]:
        """All steps, in their order."""
        plan = self._plan
        for round_ in range(1, plan.rounds + 1):
            counts = [*plan.instances, 0]  # 0: one instance without nginx, under several loads
            for count in counts if round_ % 2 else reversed(counts):
                what = (
                    f"{count} behind nginx, {plan.connections} connections" if count else "one without nginx"
                )
                loads = 1 if count else len(self._loads_of_one())
                yield Step(
                    f"round {round_} of {plan.rounds}: {what}",
                    START_AND_END_SECONDS + plan.warm_up_seconds + loads * plan.seconds * OVERHEAD,
                    partial(self._measure, count, round_),
                )

    async def _measure(self, count: int, round_: int) -> list[Measurement]:
        """Measure this many instances behind nginx, or one without nginx under several loads (0)."""
        plan = self._plan
        async with self._stack(count or 1) as (running, probe):
            url = str(running.url) if count else address_of(running)
            return [
                await measure_creates(
                    probe, url, Load(plan.seconds, each), round_, f"{plan.seed}-{each}-{round_}"
                )
                for each in ([plan.connections] if count else self._loads_of_one())
            ]

    def _loads_of_one(self) -> tuple[int, ...]:
        """The reference comes first, so that its tables are as empty as those of the other stacks."""
        plan = self._plan
        return tuple(dict.fromkeys((plan.connections, *plan.connections_of_one)))

    @asynccontextmanager
    async def _stack(self, instances: int) -> AsyncIterator[tuple[Status, Probe]]:
        """A stack that has had its warm-up load, and a probe of it."""
        async with own_stack(self._beside, instances) as stack, Probe.open(stack.running) as probe:
            if not self.environment:
                self.environment = await environment_of(probe, stack.data_dir)
                self.environment["instances"] = list(self._plan.instances)
            load = Load(self._plan.warm_up_seconds, WARM_UP_CONNECTIONS)
            await measure_creates(probe, str(stack.running.url), load)
            yield stack.running, probe
