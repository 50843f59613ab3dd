"""The plan of `tandem bench --aggregate`: an aggregate beside users whose events are as large, in turn.

So the two do the same: a command, an event and rows in PostgreSQL, a document, and its acknowledgement. The
ratio says what an aggregate costs that is not written for its kind alone.
"""

import random
import sys
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from statistics import fmean
from typing import Any

import asyncpg
import msgspec

from tandem.aggregates import Aggregate
from tandem.random_users import random_users
from tandem.user import UserInput, normalize
from tandem_lab.bench.bench import BenchPlan
from tandem_lab.bench.environment import environment_of
from tandem_lab.bench.generator import Plan
from tandem_lab.bench.load import Load, plan_of
from tandem_lab.bench.load_kinds import Kind
from tandem_lab.bench.measure import measure_creates, measure_plan
from tandem_lab.bench.probe import Probe
from tandem_lab.bench.results import Measurement, Report
from tandem_lab.bench.steps import OVERHEAD, WARM_UP_CONNECTIONS, Step, Tell, take_steps
from tandem_lab.errors import LabError
from tandem_stack.status import Status

# So many of each are made to know how large their first events are.
SAMPLE = 200
# A trial is given the ids of so many users.
MOST_USERS = 1_000
#: The fields of a user, in the order in which they are left out from the end on.
FIELDS = (
    *("email", "name", "phone", "cell", "nat", "gender", "dob", "registered"),
    *("id", "login", "location", "picture"),
)


async def bench_beside_users(
    running: Status, url: str, data_dir: Path, plan: BenchPlan, tell: Tell
) -> Report:
    """Measure how fast the plan's aggregates and users are created at `url`, an instance or load balancer.

    Raises:
        LabError: the aggregate has no trial, or the stack does not have it.
        NotDrained, GeneratorFailed, OSError, PostgresError, PyMongoError: see `bench.bench`.
    """
    begun_at = datetime.now(UTC).isoformat(timespec="seconds")
    aggregate = plan.aggregate
    assert aggregate is not None  # noqa: S101 - narrows the type: such a plan has one
    try:
        async with Probe.open(running) as users, Probe.open(running, kind=aggregate.name) as own:
            work = BesideUsers(users, own, url, plan, aggregate)
            environment = await environment_of(users, data_dir) | {"url": url, "aggregate": work.sizes}
            await take_steps(list(work.steps()), work.found, tell)
    except asyncpg.UndefinedTableError:
        msg = f"The stack has no {aggregate.plural}. Install them where it runs, and start it again."
        raise LabError(msg) from None
    return Report(
        kind="bench",
        begun_at=begun_at,
        command=sys.argv,
        environment=environment,
        measurements=work.found,
    )


class BesideUsers:
    """The steps of a plan, and what they have found. `sizes` says how large the first events are."""

    def __init__(
        self, users: Probe, own: Probe, url: str, plan: BenchPlan, aggregate: Aggregate[Any]
    ) -> None:
        self.found: list[Measurement] = []
        self._probes = {Kind.AGGREGATE: own, Kind.USERS_ALIKE: users}
        self._url = url
        self._plan = plan
        self._aggregate = aggregate
        wanted = bytes_of_first_events(aggregate)
        self._fields, alike = fields_of_size(wanted)
        self._run = f"lab-{time.time_ns()}"
        self._ids: tuple[int, ...] = ()
        self.sizes = {
            "name": aggregate.plural,
            "bytes_of_its_first_event": round(wanted),
            "bytes_of_created": round(alike),
            "fields_of_users": ", ".join(self._fields),
        }

    def steps(self) -> Iterator[Step]:
        """All steps, in their order. Every second round begins with the other one."""
        plan, names = self._plan, {Kind.AGGREGATE: self._aggregate.plural, Kind.USERS_ALIKE: "users"}
        yield Step("warming up", 2 * plan.warm_up_seconds * OVERHEAD, self._warm_up)
        for round_ in range(1, plan.rounds + 1):
            for kind in list(names) if round_ % 2 else reversed(names):
                what = f"round {round_} of {plan.rounds}: {names[kind]}, as fast as they go"
                yield Step(what, plan.seconds * OVERHEAD, partial(self._measure, kind, round_))

    async def _warm_up(self) -> None:
        users = self._probes[Kind.USERS_ALIKE]
        load = Load(self._plan.warm_up_seconds, WARM_UP_CONNECTIONS)
        await measure_creates(users, self._url, load, seed=self._run)
        self._ids = tuple((await users.users_of(self._run))[:MOST_USERS])
        await measure_plan(*self._creating(Kind.AGGREGATE, load, 0), 0)

    async def _measure(self, kind: Kind, round_: int) -> list[Measurement]:
        load = Load(self._plan.seconds, max(self._plan.connections))
        return [await measure_plan(*self._creating(kind, load, round_), round_)]

    def _creating(self, kind: Kind, load: Load, round_: int) -> tuple[Probe, str, Plan, Kind]:
        plan = plan_of(self._url, load, seed=f"{self._run}-{kind.name.lower()}-{round_}")
        if kind is Kind.AGGREGATE:
            plan = msgspec.structs.replace(plan, aggregate=self._aggregate.name, targets=self._ids)
        else:
            plan = msgspec.structs.replace(plan, fields=self._fields)
        return self._probes[kind], self._url, plan, kind


def bytes_of_first_events(aggregate: Aggregate[Any]) -> float:
    """How long the JSON of the events is that create aggregates, on average.

    Raises:
        LabError: the aggregate says nothing of how to try it.
    """
    if aggregate.trial is None:
        msg = f"The aggregate {aggregate.name!r} has no `trial`: without one nobody knows what to send."
        raise LabError(msg)
    some = []
    for number in range(SAMPLE):
        dice = random.Random(f"size-{number}")  # noqa: S311 - it must be repeatable
        command = aggregate.trial.create(dice, range(1, MOST_USERS))
        some.append(sum(len(msgspec.json.encode(event)) for event in aggregate.decide(command, None)))
    return fmean(some)


def fields_of_size(wanted: float) -> tuple[tuple[str, ...], float]:
    """With which of their fields users have events CREATED that are about so long, and how long these are."""
    users = [msgspec.to_builtins(user) for user in random_users("size", 0, SAMPLE)]
    lengths = {FIELDS[:count]: _bytes_of_users(users, FIELDS[:count]) for count in range(1, len(FIELDS) + 1)}
    return min(lengths.items(), key=lambda each: abs(each[1] - wanted))


def _bytes_of_users(users: Sequence[dict[str, Any]], fields: Sequence[str]) -> float:
    some = [msgspec.convert({name: user[name] for name in fields}, UserInput) for user in users]
    return fmean(len(msgspec.json.encode(normalize(user))) for user in some)
