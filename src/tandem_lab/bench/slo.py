"""The highest rate that holds limits, such as lag_p99<50ms: a search by open loads.

From half of the saturation on the rate is doubled while it holds, or halved while it does not. Between a rate
that holds and one that does not, the search is a bisection of their ratio, until they are `STEP` apart.

No single measurement decides. A rate counts as missed only if it misses twice in a row, so that what disturbs
the machine for some seconds does not lower the answer. What was found then has to hold in two measurements
more, both of them, so that luck does not raise it; if it does not, a rate `STEP` lower has to.
"""

import re
from collections.abc import Awaitable, Callable, Iterator, Sequence
from math import sqrt
from typing import Any

import msgspec

from tandem_lab.bench.mix import ANSWERS, Mix, Observed
from tandem_lab.bench.steps import OVERHEAD, Progress, Tell

STEP = 1.05
#: How many measurements a search takes about.
USUAL_STEPS = 12
#: The lowest and the highest rate that are tried, as a factor of the first.
LOWEST, HIGHEST = 0.06, 16.0
#: So many requests are measured at least: ten or more are beyond the percentile then.
SAMPLES = {"p50": 100, "p90": 200, "p99": 1_000, "p999": 10_000}
LONGEST_SECONDS = 60.0
#: Users that reach the second store at less than this share of the rate pile up on the way.
ARRIVED = 0.9
#: What may be left to answer when the last request was due, in seconds or as a share of the time: with more,
#: the service does not keep up, whatever its first answers took.
LATE_SECONDS, LATE_SHARE = 0.25, 0.05
TIMED = ("post", "lag", "update", "read")
NAMES = (*(f"{what}_{percentile}" for what in TIMED for percentile in SAMPLES), "errors")
MS = {"us": 1e-3, "ms": 1.0, "s": 1e3}


class Bound(msgspec.Struct, frozen=True):
    """What must stay below `most`: ms, or a share of the requests."""

    name: str
    most: float
    text: str = ""

    def shown(self, value: float) -> str:
        """A value with its unit."""
        if self.name == "errors":
            return f"{value:.3%}"
        return f"{value:.1f} ms" if value < 10 else f"{value:,.0f} ms"

    def of(self, observed: Observed) -> float | None:
        """What was observed of it; None: nothing."""
        if self.name == "errors":
            return observed.errors
        what, _, percentile = self.name.partition("_")
        found = observed.ms.get(what)
        return getattr(found, percentile.replace("999", "99_9")) if found else None


class Step(msgspec.Struct, frozen=True):
    """One measurement, and in words what it missed."""

    observed: Observed
    missed: list[str]


class Found(msgspec.Struct, frozen=True):
    """The highest rate that holds, and the lowest that does not. None: there was none."""

    rate: float | None
    missed_at: float | None


class Subject(msgspec.Struct, frozen=True):
    """What was measured of our service, or of a peer: all steps in their order, and what they amount to."""

    name: str
    #: Users per second, all the way, as fast as they go.
    saturation: float
    steps: list[Step]
    #: In a sentence; empty if the rates were given, as `rate` is then.
    answer: str = ""
    rate: float | None = None


class LimitsReport(msgspec.Struct, frozen=True, kw_only=True):
    """All raw data of `tandem bench --slo` and of mixed loads. Rates are per second, delays in seconds."""

    kind: str = "slo"
    begun_at: str
    command: list[str]
    environment: dict[str, Any]
    bounds: tuple[Bound, ...]
    mix: Mix
    delays: dict[str, float]
    subjects: list[Subject]


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be found out: the highest rate that holds `bounds`, or how it is at `rates`."""

    bounds: tuple[Bound, ...] = ()
    rates: tuple[float, ...] = ()
    mix: Mix = Mix()
    #: Of the load that shows the saturation, and of each step at least.
    seconds: float = 5.0
    connections: int = 200

    @property
    def what(self) -> str:
        """What a rate counts."""
        return "requests" if self.mix.shares.keys() - {"create"} else "users"


#: Puts a load of this rate, and as many seconds, on what is measured.
Offer = Callable[[float, float], Awaitable[Observed]]


async def measure_subject(name: str, offer: Offer, saturation: float, task: Task, tell: Tell) -> Subject:
    """Carry out a task on what `offer` puts a load on.

    Raises:
        LabError: a load could not be carried out.
    """
    steps: list[Step] = []

    async def holds(rate: float) -> bool:
        seconds = seconds_for(task.bounds, rate, task.mix.shares, task.seconds)
        number, of = len(steps) + 1, max(len(steps) + 1, len(task.rates) or USUAL_STEPS)
        left = (of - number + 1) * seconds * OVERHEAD
        tell(Progress(number, of, f"{name}: {rate:,.0f} {task.what} due a second", (number - 1) / of, left))
        observed = await offer(rate, seconds)
        steps.append(Step(observed, misses(task.bounds, observed)))
        return not steps[-1].missed

    if not task.bounds:
        for rate in task.rates:
            await holds(rate)
        return Subject(name, saturation, steps)
    found = await highest_rate_that_holds(holds, max(1.0, saturation / 2))
    return Subject(name, saturation, steps, answer(task.bounds, found, steps, task.what), found.rate)


def parse_slo(text: str) -> tuple[Bound, ...]:
    """Such as lag_p99<50ms, post_p99<25ms, errors<0.1%.

    Raises:
        ValueError: it is none; says what is expected.
    """
    return tuple(_bound(part) for part in text.split(","))


def _bound(text: str) -> Bound:
    match = re.fullmatch(r"(\w+)\s*<=?\s*(\d+(?:\.\d+)?)\s*(us|ms|s|%|)", text.strip())
    unit = match[3] if match else ""
    if (
        match is None
        or match[1] not in NAMES
        or (unit in MS) != (match[1] != "errors")
        or not float(match[2])
    ):
        msg = f"{text.strip()!r} is no limit like lag_p99<50ms or errors<0.1%. Names: {', '.join(NAMES)}; "
        raise ValueError(f"{msg}units: us, ms, s, and % for errors. All are above 0.")
    factor = MS.get(unit) or (0.01 if unit else 1.0)
    return Bound(match[1], float(match[2]) * factor, f"{match[1]}<{match[2]}{unit}")


def misses(bounds: Sequence[Bound], observed: Observed) -> list[str]:
    """What does not hold, in words. That nothing fails and that the service keeps up is demanded, too."""
    return list(_misses(bounds, observed))


def _misses(bounds: Sequence[Bound], observed: Observed) -> Iterator[str]:
    named = {bound.name for bound in bounds}
    for bound in (*bounds, *([] if "errors" in named else [Bound("errors", 1e-9)])):
        value = bound.of(observed)
        if value is None:
            yield f"{bound.name} was not measured"
        elif value >= bound.most:
            yield f"{bound.name} was {bound.shown(value)}"
    if observed.late_seconds > max(LATE_SECONDS, LATE_SHARE * observed.seconds):
        yield f"answers were {observed.late_seconds:.1f} s late in the end"
    if observed.arrived < ARRIVED:
        yield f"only {observed.arrived:.0%} reached the second store in time"


def seconds_for(bounds: Sequence[Bound], rate: float, shares: dict[str, float], least: float) -> float:
    """How long a load must last for the percentiles of the bounds: from `least` to a minute."""
    kinds = {answers: kind for kind, answers in ANSWERS.items()}
    wanted = [least]
    for what, _, percentile in (bound.name.partition("_") for bound in bounds if bound.name != "errors"):
        share = shares.get(kinds.get(what, "create"), 1.0)
        wanted.append(SAMPLES[percentile] / (rate * share))
    return min(max(wanted), max(least, LONGEST_SECONDS))


async def highest_rate_that_holds(holds: Callable[[float], Awaitable[bool]], first: float) -> Found:
    """Search from the rate `first` on. `holds` makes one measurement."""

    async def missed(rate: float) -> bool:
        return not await holds(rate) and not await holds(rate)

    low, high = await _bracket(missed, first)
    while low and high and high / low > STEP:
        middle = rounded(sqrt(low * high))
        low, high = (low, middle) if await missed(middle) else (middle, high)
    while low and not (await holds(low) and await holds(low)):
        low, high = lower(low, first), low
    return Found(low, high)


async def _bracket(
    missed: Callable[[float], Awaitable[bool]], first: float
) -> tuple[float | None, float | None]:
    """A rate that holds and one that does not, a factor of two apart, as far as there are any."""
    low, high, rate = None, None, rounded(first)
    while first * LOWEST <= rate <= first * HIGHEST:
        if await missed(rate):
            high = rate
        else:
            low = rate
        if low and high:
            break
        rate = rounded(rate * 2 if low else rate / 2)
    return low, high


def lower(rate: float, first: float) -> float | None:
    """The next lower rate that is tried; None: none is."""
    found = rounded(rate / STEP)
    return found if first * LOWEST <= found < rate else None


def rounded(rate: float) -> float:
    """Three digits, which are more than a search can tell apart."""
    return float(f"{rate:.3g}")


def answer(bounds: Sequence[Bound], found: Found, steps: Sequence[Step], what: str) -> str:
    """The outcome in a sentence. `what`: what the rate counts, such as users."""
    limits = ", ".join(bound.text for bound in bounds)
    at_missed = [step.missed for step in steps if step.missed and step.observed.rate == found.missed_at]
    why = ", ".join(at_missed[-1]) if at_missed else ""
    if found.rate is None:
        return f"Not even {found.missed_at:,.0f} {what}/s hold {limits}: {why}."
    beyond = f"at {found.missed_at:,.0f} {why}" if found.missed_at else "more was not tried"
    return f"{found.rate:,.0f} {what}/s hold {limits}; {beyond}."
