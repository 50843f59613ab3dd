"""`tandem bench --peer`: other systems under the same loads, in turn, each on fresh places of one stack."""

import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from functools import partial

import msgspec
from msgspec.structs import replace

from tandem_lab.bench.arrivals import Arrivals, arrival_times, lags_ms, mean_lag_ms
from tandem_lab.bench.environment import environment_of
from tandem_lab.bench.generator import Outcome, Plan
from tandem_lab.bench.load import MOST_CREATES_A_SECOND, Load, Run, carry_out, histogram_of, plan_of
from tandem_lab.bench.load_kinds import BROWSER_CONNECTIONS, Kind
from tandem_lab.bench.own_stack import OwnStack
from tandem_lab.bench.probe import Probe
from tandem_lab.bench.results import Measurement, Report, rate_of
from tandem_lab.bench.steps import OVERHEAD, Step, Tell, take_steps
from tandem_lab.delay import over
from tandem_lab.errors import GeneratorFailed, PeerFailed
from tandem_lab.peers.facts import facts_of
from tandem_lab.peers.places import fresh_places
from tandem_lab.peers.protocol import Databases, Peer, Running
from tandem_stack.status import InstanceStatus, LoadBalancerStatus
from tandem_stack.waiting import until

MANY_CONNECTIONS = 200
WARM_UP = Load(2.0, 20)
START_SECONDS = 5.0
#: How long the users of a load may take to the second store after its last acknowledgement.
ARRIVAL_SECONDS = 60.0
# A closed load prepares requests for so many times the rate of the warming up, and for so many a second at
# least: those of slow peers would take longer to prepare than to send. One that sends them all ends early.
FASTER, LEAST_A_SECOND = 6, 500


class PeersPlan(msgspec.Struct, frozen=True):
    """How long each load lasts, and how often each peer is started and measured."""

    seconds: float = 8.0
    rounds: int = 3
    #: Relays over which peers reach the databases, by the ports of these.
    ways: dict[int, int] = {}


QUICK = PeersPlan(seconds=3.0, rounds=1)


async def bench_peers(stack: OwnStack, peers: Mapping[str, Peer], plan: PeersPlan, tell: Tell) -> Report:
    """Measure peers, by the names that their adapters are found by, on the databases of a stack.

    Raises:
        PeerFailed: none of them could be measured; says why.
        OSError, PostgresError, PyMongoError: a server of the stack does not answer.
    """
    begun_at = datetime.now(UTC).isoformat(timespec="seconds")
    async with Probe.open(stack.running) as probe:
        environment = await environment_of(probe, stack.data_dir)
        work = PeersBench(peers, probe, plan)
        await take_steps(list(work.steps()), work.found, tell)
    if not work.found:
        raise PeerFailed(" ".join(work.failed.values()))
    measured = {each.peer for each in work.found}
    facts = [facts_of(peer.about) for peer in peers.values() if peer.about.name in measured]
    return Report(
        kind="peers",
        begun_at=begun_at,
        command=sys.argv,
        environment=environment,
        measurements=work.found,
        peers=facts,
        left_out=[*work.failed.values(), *remarks(work.found)],
    )


class PeersBench:
    """The steps of a plan. `found` has what they have measured so far, `failed` who is left out, and why."""

    def __init__(self, peers: Mapping[str, Peer], probe: Probe, plan: PeersPlan) -> None:
        self.found: list[Measurement] = []
        self.failed: dict[str, str] = {}
        self._peers = peers
        self._probe = probe
        self._plan = plan

    def steps(self) -> Iterator[Step]:
        """A step for each peer in each round. Every second round goes the other way round."""
        names, seconds = (
            list(self._peers),
            START_SECONDS + OVERHEAD * (WARM_UP.seconds + 3 * self._plan.seconds),
        )
        for round_ in range(1, self._plan.rounds + 1):
            for name in names if round_ % 2 else reversed(names):
                what = f"round {round_} of {self._plan.rounds}: {self._peers[name].about.name}"
                yield Step(what, seconds, partial(self._attempt, name, round_))

    async def _attempt(self, name: str, round_: int) -> list[Measurement]:
        """Measure a peer, unless it has failed before."""
        if name in self.failed:
            return []
        try:
            return await self._measure(name, round_)
        except (PeerFailed, GeneratorFailed) as error:
            self.failed[name] = f"{str(error).rstrip('.')}."
            return []

    async def _measure(self, name: str, round_: int) -> list[Measurement]:
        found: list[Measurement] = []
        async with measuring(name, self._peers[name], self._probe, self._plan.ways) as measure:
            while len(found) < 3:
                found.append(await measure(self._next_load(found), round_))
        return found

    def _next_load(self, found: Sequence[Measurement]) -> Load:
        """After a load as fast as it goes one like a browser's, and one at half of its own saturation."""
        seconds = self._plan.seconds
        if len(found) == 1:
            return Load(seconds, BROWSER_CONNECTIONS)
        return Load(seconds, MANY_CONNECTIONS, max(1.0, round(rate_of(found[0]) / 2)) if found else None)


@asynccontextmanager
async def measuring(
    name: str, peer: Peer, probe: Probe, ways: Mapping[int, int]
) -> AsyncIterator[Callable[[Load, int], Awaitable[Measurement]]]:
    """Puts loads on a peer, each of a round; see `RunningPeer.measure` and `ready_peer`.

    It is started again after a load whose users have not all arrived: these would count in the next one.
    """
    async with AsyncExitStack() as stack:
        ready: RunningPeer | None = None

        async def measure(load: Load, round_: int) -> Measurement:
            nonlocal ready
            if ready is None:
                ready = await stack.enter_async_context(ready_peer(name, peer, probe, ways))
            found = await ready.measure(load, round_)
            if found.not_arrived:
                await stack.aclose()
                ready = None
            return found

        yield measure


@asynccontextmanager
async def ready_peer(
    name: str, peer: Peer, probe: Probe, ways: Mapping[int, int]
) -> AsyncIterator["RunningPeer"]:
    """Start a peer, which is found by this name, on fresh places of the stack of the probe; warm it up.

    `ways`: see `PeersPlan`.

    Raises:
        PeerFailed: it does not start; says why.
        GeneratorFailed: the load was not carried out.
    """
    postgres_url, mongodb_url = str(probe.running.postgres.url), str(probe.running.mongodb.url)
    async with (
        fresh_places(postgres_url, mongodb_url) as places,
        peer.running(Databases(*(over(ways, url) for url in msgspec.structs.astuple(places)))) as running,
    ):
        ready = RunningPeer(name, peer, running, probe)
        await ready.measure(WARM_UP)
        yield ready


class RunningPeer:
    """A peer that runs on the databases of the stack of a probe, found by this name."""

    def __init__(self, name: str, peer: Peer, running: Running, probe: Probe) -> None:
        self._name = name
        self._peer = peer
        self._running = running
        self._probe = probe
        self._most_a_second = float(MOST_CREATES_A_SECOND)

    async def measure(self, load: Load, round_: int = 1) -> Measurement:
        """Create users for some seconds, wait until all are in the second store, and say what it took.

        Users that have not arrived after `ARRIVAL_SECONDS` are counted as such.

        Raises:
            GeneratorFailed: the load was not carried out.
        """
        arrivals = Arrivals(self._peer.done, before=await self._peer.done())
        plan, pids = self._plan(load), self._pids()
        processes = tuple(InstanceStatus(name, 0, pid) for name, pid in pids.items())
        self._probe.running = replace(
            self._probe.running, instances=processes, load_balancer=LoadBalancerStatus(None, None)
        )

        async with arrivals.watched():
            run = await carry_out(self._probe, plan, partial(_until_arrived, arrivals))
        if load is WARM_UP:
            self._most_a_second = max(LEAST_A_SECOND, FASTER * run.outcome.answered / run.outcome.seconds)
        found = _measurement(run, arrivals, round_)
        # The CPU of a process that was started again meanwhile is not known.
        unknown = {"nginx"} if pids and pids == self._pids() else {"nginx", "instances"}
        return replace(
            found,
            peer=self._peer.about.name,
            cpu_us_per_user={part: us for part, us in found.cpu_us_per_user.items() if part not in unknown},
            memory_mib=self._probe.memory(),
        )

    def _plan(self, load: Load) -> Plan:
        plan = plan_of(self._running.url, load, seed=f"lab-{time.time_ns()}")
        most = plan.requests if load.rate else min(plan.requests, int(load.seconds * self._most_a_second))
        return replace(plan, peer=self._name, requests=most)

    def _pids(self) -> dict[str, int | None]:
        return {name: pid() for name, pid in self._running.processes.items()}


def remarks(found: Sequence[Measurement]) -> list[str]:
    """What a reader must know of these measurements of peers, in sentences."""
    said = []
    for each in found:
        load = f"{each.peer}, round {each.round}, {each.kind} load over {each.connections} connections"
        if each.not_arrived:
            late = f"{each.not_arrived:,} acknowledged users were not in the second store"
            said.append(f"{load}: {late} {ARRIVAL_SECONDS:.0f} s after it.")
        if "instances" not in each.cpu_us_per_user:
            said.append(f"{load}: its CPU is not known, as its processes are not, or one was started again.")
    return said


async def _until_arrived(arrivals: Arrivals, outcome: Outcome) -> None:
    async def all_have() -> bool:
        return arrivals.users >= outcome.answered

    await until(all_have, ARRIVAL_SECONDS)


def _measurement(run: Run, arrivals: Arrivals, round_: int) -> Measurement:
    """What a load shows of the users that have arrived."""
    outcome = run.outcome
    acknowledged = [outcome.started_at + at for at in outcome.answered_at]
    arrived = arrival_times(arrivals.seen, outcome.answered)
    lags = lags_ms(acknowledged, arrived)
    kind = Kind.CLOSED if run.plan.rate is None else Kind.OPEN
    per_second = len(arrived) / (arrived[-1] - outcome.started_at) if arrived else 0.0
    return replace(
        run.measurement(kind, round_, len(arrived)),
        per_second={
            "accepted": round(outcome.answered / outcome.seconds, 1),
            "synchronized": round(per_second, 1),
        },
        lag_ms=histogram_of(lags).percentiles(),
        mean_lag_ms=mean_lag_ms(acknowledged, arrived),
        not_arrived=outcome.answered - len(arrived),
        event_loop_us_per_user=None,
    )
