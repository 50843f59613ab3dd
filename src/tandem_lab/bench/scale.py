"""The plan of `tandem scale`: the same users and the same load at several numbers of instances.

Each number gets a stack of its own with empty tables, so that all begin alike. Rounds take the numbers in
turn, every second one from the largest down, so that what drifts on the machine hits all of them alike.
"""

import sys
from collections.abc import Iterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from tandem_lab.bench.environment import environment_of
from tandem_lab.bench.load import Load
from tandem_lab.bench.measure import measure_creates
from tandem_lab.bench.own_stack import OwnStack, address_of, own_stack
from tandem_lab.bench.probe import Probe
from tandem_lab.bench.results import Measurement, Report
from tandem_lab.bench.steps import OVERHEAD, WARM_UP_CONNECTIONS, Step, Tell, take_steps

# Starting and ending a stack, in seconds.
START_AND_END = 5.0


class ScalePlan(msgspec.Struct, frozen=True):
    """What to measure: `instances` behind nginx under one load, then one without nginx under several."""

    seconds: float = 8.0
    rounds: int = 3
    warm_up_seconds: float = 2.0
    instances: tuple[int, ...] = (1, 2, 3, 4, 5, 6)
    connections: int = 200
    #: Asked of one instance without nginx.
    connections_of_one: tuple[int, ...] = (1, 2, 6, 16, 50, 100, 200, 400)
    #: Names the users: the same seed makes the same users at every number of instances.
    seed: str = "scale"


#: A first look: under two minutes on an idle machine.
QUICK = ScalePlan(
    seconds=2.0, rounds=2, warm_up_seconds=1.0, instances=(1, 2, 3), connections_of_one=(6, 50, 200)
)


async def scale(beside: Path, plan: ScalePlan, tell: Tell) -> Report:
    """Measure on stacks of our own, whose data is on the same disk as the folder `beside`.

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
        """All of them, in their order."""
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
                    START_AND_END + plan.warm_up_seconds + loads * plan.seconds * OVERHEAD,
                    partial(self._several, count, round_) if count else partial(self._one, round_),
                )

    async def _several(self, instances: int, round_: int) -> list[Measurement]:
        async with AsyncExitStack() as ends:
            stack, probe = await self._started(ends, instances)
            url = str(stack.running.url)
            return [await self._measure(probe, url, self._plan.connections, round_)]

    async def _one(self, round_: int) -> list[Measurement]:
        async with AsyncExitStack() as ends:
            stack, probe = await self._started(ends, 1)
            url = address_of(stack.running)
            return [await self._measure(probe, url, each, round_) for each in self._loads_of_one()]

    def _loads_of_one(self) -> tuple[int, ...]:
        """The reference first, on tables as empty as those of the others."""
        plan = self._plan
        return tuple(dict.fromkeys((plan.connections, *plan.connections_of_one)))

    async def _started(self, ends: AsyncExitStack, instances: int) -> tuple[OwnStack, Probe]:
        """A stack that is warm, and a probe of it."""
        stack = await ends.enter_async_context(own_stack(self._beside, instances))
        probe = await Probe.open(stack.running)
        ends.push_async_callback(probe.close)
        if not self.environment:
            self.environment = await environment_of(probe, stack.data_dir)
            self.environment["instances"] = list(self._plan.instances)
        load = Load(self._plan.warm_up_seconds, WARM_UP_CONNECTIONS)
        await measure_creates(probe, str(stack.running.url), load)
        return stack, probe

    async def _measure(self, probe: Probe, url: str, connections: int, round_: int) -> Measurement:
        seed = f"{self._plan.seed}-{connections}-{round_}"
        return await measure_creates(probe, url, Load(self._plan.seconds, connections), round_, seed)
