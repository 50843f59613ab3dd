"""The plan of `tandem bench`: which loads, in an order in which noise affects all of them alike."""

import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from tandem.aggregates import Aggregate
from tandem_lab.bench.baselines import Baselines, left_out
from tandem_lab.bench.environment import environment_of
from tandem_lab.bench.fill import USERS_A_SECOND, clean_up, fill
from tandem_lab.bench.load import Load
from tandem_lab.bench.load_kinds import BROWSER_CONNECTIONS, Kind
from tandem_lab.bench.measure import (
    Change,
    measure_beside,
    measure_changes,
    measure_creates,
    measure_reads,
    read_paths,
)
from tandem_lab.bench.own_writes import measure_own_writes
from tandem_lab.bench.probe import Probe
from tandem_lab.bench.results import Measurement, Report, highest_rate
from tandem_lab.bench.steps import OVERHEAD, WARM_UP_CONNECTIONS, Step, Tell, Work, take_steps
from tandem_lab.errors import BaselineFailed
from tandem_stack.status import Status

# Where reads and writes go on together, reads come at half of their highest rate, and writes at a quarter.
READ_SHARE, WRITE_SHARE = 0.5, 0.25
# Latency is judged at this share of the saturation, so it is measured in every round, and other shares once.
HALF = 0.5
# There are many contended loads, so each lasts only this share of the others' time.
CONTENDED_SHARE = 1 / 3
PGBENCH_SECONDS = 2
TIDYING_SECONDS = 3.0


class BenchPlan(msgspec.Struct, frozen=True):
    """What to measure. A round has each closed load and each baseline; open loads come after all rounds."""

    seconds: float = 8.0
    rounds: int = 3
    warm_up_seconds: float = 3.0
    connections: tuple[int, ...] = (200, BROWSER_CONNECTIONS)
    #: How many closed loads, from the largest down, have their users updated and then deleted.
    changed: int = 2
    #: How unevenly contended updates are spread: of Zipf's law, 0 is evenly.
    exponents: tuple[float, ...] = (0.0, 0.7, 1.0, 1.3)
    open_shares: tuple[float, ...] = (0.1, 0.25, 0.5, 0.75, 0.9, 1.0)
    #: Users due per second, besides the shares of the saturation.
    rates: tuple[float, ...] = ()
    read_connections: int = 50
    #: How many users are created, updated, and each time read at once.
    own_writes: int = 500
    baselines: tuple[Kind, ...] = (
        Kind.FROZEN_FLOOR,
        Kind.CURRENT_FLOOR,
        Kind.ONE_AT_A_TIME,
        Kind.PLAIN_WAY,
        Kind.FIND_ONE,
        Kind.JOIN,
    )
    floor_users: int = 30_000
    #: Clients of pgbench: a browser's number of connections, and numbers among which the best rate is.
    clients: tuple[int, ...] = (BROWSER_CONNECTIONS, 16, 32, 64)
    join_reads: int = 2_000
    #: How many users the tables must have before anything is measured.
    users_before: int = 0
    #: What is measured instead of all else; see `beside_users`.
    aggregate: Aggregate[Any] | None = None


#: A first look: about two minutes on an idle machine.
QUICK = BenchPlan(
    seconds=3.0,
    rounds=2,
    warm_up_seconds=2.0,
    changed=1,
    exponents=(0.0, 1.0),
    open_shares=(0.5, 0.9),
    own_writes=100,
    baselines=(Kind.FROZEN_FLOOR, Kind.ONE_AT_A_TIME, Kind.FIND_ONE),
    floor_users=15_000,
    clients=(BROWSER_CONNECTIONS, 32),
)


async def bench(running: Status, url: str, data_dir: Path, plan: BenchPlan, tell: Tell) -> Report:
    """Measure the running stack at `url`, an instance or the load balancer.

    Raises:
        NotDrained: users were still pending long after a load had ended.
        GeneratorFailed: a load could not be carried out.
        OSError, PostgresError, PyMongoError: a server of the stack does not answer.
    """
    begun_at = datetime.now(UTC).isoformat(timespec="seconds")
    async with Probe.open(running) as probe:
        work = Bench(probe, url, plan, users_already=await probe.users())
        environment = await environment_of(probe, data_dir) | {"url": url, "users_before": work.users_before}
        await take_steps(list(work.steps()), work.found, tell)
        own_writes = await measure_own_writes(url, plan.own_writes)
    return Report(
        kind="bench",
        begun_at=begun_at,
        command=sys.argv,
        environment=environment,
        measurements=work.found,
        own_writes=own_writes,
        left_out=work.left_out,
    )


class Bench:
    """The steps of a plan. `found` has what they have measured so far; later loads depend on earlier ones."""

    def __init__(self, probe: Probe, url: str, plan: BenchPlan, users_already: int) -> None:
        missing = left_out(plan.baselines)
        self.found: list[Measurement] = []
        self.left_out = list(missing.values())
        self.users_before = max(plan.users_before, users_already)
        self._missing_users = self.users_before - users_already
        self._probe = probe
        self._url = url
        self._plan = plan
        self._baselines = Baselines(probe)
        self._available = [name for name in plan.baselines if name not in missing]
        self._paths: dict[str, tuple[str, ...]] = {}
        # Names the runs whose users are changed later.
        self._run = f"lab-{time.time_ns()}"

    def steps(self) -> Iterator[Step]:
        """All steps, in their order."""
        plan, probe = self._plan, self._probe
        if self._missing_users:
            what = f"filling the tables: {self._missing_users:,} users more"
            work = partial(fill, probe, self._url, self._missing_users)
            yield Step(what, self._missing_users / USERS_A_SECOND, work)
        yield Step("warming up", plan.warm_up_seconds * OVERHEAD, self._warm_up)
        for round_ in range(1, plan.rounds + 1):
            yield from self._round(round_)
        for round_ in range(1, plan.rounds + 1):
            yield from self._contended_steps(round_)
        yield Step("tidying up", TIDYING_SECONDS, partial(clean_up, probe.running))
        seconds = plan.seconds * OVERHEAD
        for share in plan.open_shares:
            what = f"users due at {share:.0%} of the saturation"
            for round_ in range(1, plan.rounds + 1 if share == HALF else 2):
                yield Step(what, seconds, partial(self._open_share, share, round_))
        for rate in plan.rates:
            yield Step(f"{rate:,.0f} users due a second", seconds, partial(self._open, rate))
        yield from self._reads()

    def _round(self, round_: int) -> Iterator[Step]:
        """Loads that are compared follow each other: the largest and the floors, pgbench and the browser."""
        plan, name, baselines = self._plan, f"round {round_} of {self._plan.rounds}", self._baselines
        largest, *smaller = sorted(plan.connections, reverse=True)
        yield self._closed_step(name, largest, round_)
        for floor in (Kind.FROZEN_FLOOR, Kind.CURRENT_FLOOR):
            work = partial(baselines.floor, floor, plan.floor_users, round_)
            yield from self._baseline(floor, f"{name}: the {floor}", 1 + plan.floor_users / 6_000, work)
        yield from self._change_steps(name, largest, round_)
        for clients in sorted(plan.clients, reverse=True):
            work = partial(baselines.one_at_a_time, clients, PGBENCH_SECONDS, round_)
            what = f"{name}: pgbench with {clients} clients"
            yield from self._baseline(Kind.ONE_AT_A_TIME, what, PGBENCH_SECONDS + 1, work)
        for connections in reversed(smaller):
            yield self._closed_step(name, connections, round_)
            yield from self._change_steps(name, connections, round_)
        work = partial(baselines.plain_way, plan.seconds, round_)
        yield from self._baseline(Kind.PLAIN_WAY, f"{name}: the plain way", plan.seconds + 3, work)

    def _closed_step(self, name: str, connections: int, round_: int) -> Step:
        what = f"{name}: {connections} connections, as fast as they go"
        return Step(what, self._plan.seconds * OVERHEAD, partial(self._closed, connections, round_))

    def _change_steps(self, name: str, connections: int, round_: int) -> Iterator[Step]:
        """The users of a closed load are changed as fast as they were created."""
        if connections not in sorted(self._plan.connections, reverse=True)[: self._plan.changed]:
            return
        load, seed = Load(self._plan.seconds, connections), f"{self._run}-{connections}-{round_}"
        for kind in (Kind.UPDATE, Kind.DELETE):
            work = partial(self._change, Change(kind, seed), load, round_)
            yield Step(f"{name}: {kind} these users", load.seconds * OVERHEAD, work)

    def _contended_steps(self, round_: int) -> Iterator[Step]:
        """Users of the warming up are changed, which no other load does."""
        load = Load(self._plan.seconds * CONTENDED_SHARE, self._plan.read_connections)
        for exponent in self._plan.exponents:
            for kind in (Kind.CONTENDED, Kind.CONTENDED_IF_MATCH):
                work = partial(self._change, Change(kind, self._run, exponent), load, round_)
                what = f"round {round_} of {self._plan.rounds}: {kind}, Zipf {exponent:g}"
                yield Step(what, load.seconds * OVERHEAD, work)

    def _reads(self) -> Iterator[Step]:
        plan, seconds = self._plan, self._plan.seconds + 1
        for round_ in range(1, plan.rounds + 1):
            name = f"reads, round {round_} of {plan.rounds}"
            for kind in (Kind.BY_ID, Kind.LIST, Kind.BY_EMAIL):
                yield Step(f"{name}: {kind}", seconds, partial(self._read, kind, round_))
            what, work = f"{name}: {Kind.FIND_ONE}", partial(self._find_one, round_)
            yield from self._baseline(Kind.FIND_ONE, what, seconds + 1, work)
        at_a_rate = partial(self._read, Kind.BY_EMAIL, 1, READ_SHARE)
        yield Step("reads by e-mail at a rate", seconds, at_a_rate)
        yield Step("reads by e-mail beside writes", seconds, self._beside)
        work = partial(self._baselines.join, plan.join_reads, plan.rounds)
        yield from self._baseline(Kind.JOIN, "the join and the document", 5 + 3 * plan.rounds, work)

    def _baseline(self, kind: Kind, what: str, seconds: float, work: Work) -> Iterator[Step]:
        """A step, if the baseline is wanted and can be had. If it fails, the report says so."""

        async def attempt() -> list[Measurement] | None:
            try:
                return await work()
            except BaselineFailed as error:
                self.left_out.append(f"{error}.")
                return None

        if kind in self._available:
            yield Step(what, seconds, attempt)

    async def _warm_up(self) -> None:
        load = Load(self._plan.warm_up_seconds, WARM_UP_CONNECTIONS)
        await measure_creates(self._probe, self._url, load, seed=self._run)

    async def _closed(self, connections: int, round_: int) -> list[Measurement]:
        load, seed = Load(self._plan.seconds, connections), f"{self._run}-{connections}-{round_}"
        return [await measure_creates(self._probe, self._url, load, round_, seed)]

    async def _change(self, change: Change, load: Load, round_: int) -> list[Measurement]:
        return [await measure_changes(self._probe, self._url, load, change, round_)]

    async def _open_share(self, share: float, round_: int) -> list[Measurement]:
        return await self._open(float(round(share * self._highest(Kind.CLOSED))), round_)

    async def _open(self, rate: float, round_: int = 1) -> list[Measurement]:
        load = Load(self._plan.seconds, max(self._plan.connections), rate)
        return [await measure_creates(self._probe, self._url, load, round_)]

    async def _read(self, kind: Kind, round_: int, share: float | None = None) -> list[Measurement]:
        paths, load = await self._paths_of(kind), self._reading(share)
        found = await measure_reads(self._probe, self._url, paths, load, kind)
        return [msgspec.structs.replace(found, round=round_)]

    async def _find_one(self, round_: int) -> list[Measurement]:
        return await self._baselines.find_one(await self._paths_of(Kind.BY_EMAIL), self._reading(), round_)

    async def _beside(self) -> list[Measurement]:
        paths, plan = await self._paths_of(Kind.BY_EMAIL), self._plan
        writes = Load(plan.seconds, plan.read_connections, self._highest(Kind.CLOSED) * WRITE_SHARE)
        return await measure_beside(self._probe, self._url, paths, self._reading(READ_SHARE), writes)

    def _reading(self, share: float | None = None) -> Load:
        """A load of reads: as fast as they go, or at a share of the highest rate of reads by e-mail."""
        rate = share and float(round(self._highest(Kind.BY_EMAIL) * share))
        return Load(self._plan.seconds, self._plan.read_connections, rate)

    def _highest(self, kind: Kind) -> float:
        return highest_rate(self.found, kind)

    async def _paths_of(self, kind: Kind) -> tuple[str, ...]:
        self._paths = self._paths or await read_paths(self._probe)
        return self._paths[kind]
