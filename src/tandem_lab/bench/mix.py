"""Open loads of several kinds at once: users are created, updated and read, each at its share of the rate."""

import asyncio
import re
import time
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack

import msgspec

from tandem_lab.bench.generator import Outcome, Plan
from tandem_lab.bench.load import Load, histogram_of, plan_of, prepared
from tandem_lab.bench.load_kinds import BROWSER_CONNECTIONS, Kind
from tandem_lab.bench.measure import Change, until_drained
from tandem_lab.bench.probe import Probe
from tandem_lab.histogram import Percentiles

#: The kinds of a mix, and what their answers are called.
ANSWERS = {"create": "post", "update": "update", "read": "read"}
#: How many paths are read over and over, so that a popular user is read more often than others.
MOST_PATHS = 100_000


class Mix(msgspec.Struct, frozen=True):
    """Shares of all requests by kind. `zipf`: the exponent by which updates and reads prefer some users."""

    shares: dict[str, float] = msgspec.field(default_factory=lambda: {"create": 1.0})
    zipf: float = 0.0


class Observed(msgspec.Struct, frozen=True, kw_only=True):
    """What a load showed that was offered at a rate."""

    rate: float
    seconds: float
    #: By `post`, `update`, `read` (the answers) and `lag`: of creates and updates, whichever is worse.
    ms: dict[str, Percentiles]
    #: Requests that were carried out, per second, by kind.
    per_second: dict[str, float]
    #: The share of all due requests that were not.
    errors: float
    #: How long after the last one was due the last one was answered.
    late_seconds: float
    #: Users that reached the second store per second, as a share of those that were due.
    arrived: float = 1.0
    #: The largest share of its core that a generator used, and how many cores other programs did.
    generator_busy: float = 0.0
    others_busy: float = 0.0


def parse_mix(text: str) -> dict[str, float]:
    """Such as create=60,update=20,read=20: the share of each kind, all together 1.

    Raises:
        ValueError: it is none; says what is expected.
    """
    shares: dict[str, float] = {}
    for part in text.split(","):
        match = re.fullmatch(r"(\w+)=(\d{1,6})", part.strip())
        if match is None or match[1] not in ANSWERS or match[1] in shares:
            raise ValueError(f"{part!r} is no share like create=60. Each once: {', '.join(ANSWERS)}.")
        shares[match[1]] = float(match[2])
    if not any(shares.values()):
        raise ValueError("One share at least must be above 0.")
    return {kind: share / sum(shares.values()) for kind, share in shares.items() if share}


class Service:
    """Our own service at `url`. Updates and reads go to users of the run `users_of`."""

    def __init__(self, probe: Probe, url: str, connections: int, mix: Mix, users_of: str) -> None:
        self._probe = probe
        self._url = url
        self._connections = connections
        self._mix = mix
        self._users_of = users_of
        self._users: Sequence[int] = []

    async def offer(self, rate: float, seconds: float) -> Observed:
        """Put the mix on it at this rate, and wait until all of it has reached both databases.

        Raises:
            NotDrained: users were still pending two minutes later.
            GeneratorFailed: the load was not carried out.
        """
        probe, seed = self._probe, f"lab-{time.time_ns()}"
        if self._mix.shares.keys() - {"create"}:
            self._users = self._users or await probe.users_of(self._users_of)
        since, plans = (
            await probe.now(),
            {kind: self._plan(kind, rate, seconds, seed) for kind in self._mix.shares},
        )
        runs = {
            kind: run for kind, run in {"create": seed, "update": self._users_of}.items() if kind in plans
        }
        async with AsyncExitStack() as stack:
            sends = [await stack.enter_async_context(prepared(plan)) for plan in plans.values()]
            before = await probe.usage()
            outcomes = dict(zip(plans, await asyncio.gather(*(send() for send in sends)), strict=True))
            for run in runs.values():
                await until_drained(probe, run)
            after = await probe.usage()
        _, synchronized = await probe.synchronized(seed, since)
        due = rate * self._mix.shares.get("create", 0.0)
        return Observed(
            rate=rate,
            seconds=seconds,
            ms=percentiles_of(outcomes, [await probe.lags_ms(run, since) for run in runs.values()]),
            per_second={kind: round(each.answered / each.seconds, 1) for kind, each in outcomes.items()},
            errors=errors_of([(plans[kind].requests, each) for kind, each in outcomes.items()]),
            late_seconds=max(each.seconds for each in outcomes.values()) - seconds,
            arrived=synchronized / due if synchronized and due else 1.0,
            generator_busy=max(each.busy for each in outcomes.values()),
            others_busy=after.others_busy(before),
        )

    def _plan(self, kind: str, rate: float, seconds: float, seed: str) -> Plan:
        share = self._mix.shares[kind]
        load = Load(seconds, max(BROWSER_CONNECTIONS, round(self._connections * share)), rate * share)
        requests, popular = int(seconds * rate * share), Change(Kind.CONTENDED, seed, self._mix.zipf)
        if kind == "read":
            chosen = popular.targets(self._users, min(MOST_PATHS, requests))
            return plan_of(self._url, load, paths=tuple(f"/api/v1/user-query/{user}" for user in chosen))
        plan = plan_of(self._url, load, seed=seed)
        if kind == "create":
            return plan
        targets = popular.targets(self._users, requests)
        return msgspec.structs.replace(plan, seed=f"{seed}-update", method="PATCH", targets=targets)


def errors_of(loads: Sequence[tuple[int, Outcome]]) -> float:
    """The share of the due requests that were not carried out."""
    due = sum(requests for requests, _ in loads)
    return max(0.0, 1 - sum(outcome.answered for _, outcome in loads) / due) if due else 0.0


def percentiles_of(outcomes: Mapping[str, Outcome], lags: Sequence[list[float]]) -> dict[str, Percentiles]:
    """Those of the answers by their names, and as `lag` the worst of all lags, if they were measured."""
    found = [
        (ANSWERS[kind], histogram_of(each.latencies_ms).percentiles()) for kind, each in outcomes.items()
    ]
    of_lags = [percentiles for each in lags if (percentiles := histogram_of(each).percentiles())]
    if of_lags:
        fields = Percentiles.__struct_fields__
        found.append(("lag", Percentiles(*(max(getattr(each, name) for each in of_lags) for name in fields))))
    return {name: each for name, each in found if each}
