"""A long load at one rate, minute by minute, and whether anything grows meanwhile."""

import asyncio
import signal
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import msgspec

from tandem_lab.bench.load import Load
from tandem_lab.bench.measure import measure_creates
from tandem_lab.bench.probe import Probe
from tandem_lab.bench.results import Measurement
from tandem_lab.bench.steps import Progress, Tell
from tandem_lab.errors import GeneratorFailed
from tandem_lab.report.format import number
from tandem_lab.statistics import CONFIDENCE, trend

#: What is looked at, and its unit.
UNITS = {
    "time": "ms",
    "CPU of a user": "µs",
    "memory": "MiB",
    "open files and connections": "",
    "disk of a user": "bytes",
}
#: The first windows count as warming up: this share of them, and one at least.
WARM_UP_SHARE = 0.1


class SoakPlan(msgspec.Struct, frozen=True):
    """How long, at which rate, over how many connections, and how long a window is."""

    seconds: float
    rate: float
    connections: int = 200
    window_seconds: float = 60.0


class Window(msgspec.Struct, frozen=True):
    """What one of many loads in a row showed, by the names of `UNITS`, so many hours after the first."""

    hours: float
    figures: dict[str, dict[str, float]]


class Growth(msgspec.Struct, frozen=True):
    """How a figure has changed per hour, with an interval. Both ends are None: too few windows to tell."""

    what: str
    unit: str
    per_hour: float
    low: float | None
    high: float | None

    @property
    def is_sure(self) -> bool:
        """Whether it has changed more than by chance."""
        return self.low is not None and self.high is not None and (self.low > 0 or self.high < 0)


class SoakReport(msgspec.Struct, frozen=True, kw_only=True):
    """All raw data of `tandem bench --soak`."""

    kind: str = "soak"
    begun_at: str
    command: list[str]
    environment: dict[str, Any]
    plan: SoakPlan
    delays: dict[str, float]
    windows: list[Window]
    growth: list[Growth]
    answer: str


async def soak(probe: Probe, url: str, plan: SoakPlan, tell: Tell) -> list[Window]:
    """Load after load until the time is over. Ctrl-C ends it before; what there is by then is kept.

    Raises:
        NotDrained, GeneratorFailed: see `measure_creates`.
    """
    windows: list[Window] = []
    count, began, since = max(1, round(plan.seconds / plan.window_seconds)), time.monotonic(), 0.0
    async with _stopped_by_ctrl_c() as stopped:
        while since < plan.seconds:
            number, done = len(windows) + 1, since / plan.seconds
            what = f"{plan.rate:,.0f} users due a second; Ctrl-C ends it with what there is"
            tell(Progress(number, max(count, number), what, done, plan.seconds - since))
            figures = await _window(probe, url, plan, stopped)
            if figures is None:
                break
            windows.append(Window(round(since / 3600, 5), figures))
            since = time.monotonic() - began
    return windows


async def _window(
    probe: Probe, url: str, plan: SoakPlan, stopped: asyncio.Event
) -> dict[str, dict[str, float]] | None:
    """The figures of one load; None: it was stopped before."""
    load = Load(plan.window_seconds, plan.connections, plan.rate)
    measuring = asyncio.create_task(measure_creates(probe, url, load))
    stopping = asyncio.create_task(stopped.wait())
    try:
        await asyncio.wait({measuring, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if stopped.is_set():
            return None
        return figures_of(await measuring, probe.descriptors())
    except GeneratorFailed:
        # Ctrl-C reaches the generator as well, and it may be the first to end.
        if stopped.is_set():
            return None
        raise
    finally:
        measuring.cancel()
        stopping.cancel()
        await asyncio.wait({measuring, stopping})


@asynccontextmanager
async def _stopped_by_ctrl_c() -> AsyncIterator[asyncio.Event]:
    """An event that the first Ctrl-C sets. The second one interrupts, as usual."""
    loop, stopped = asyncio.get_running_loop(), asyncio.Event()

    def stop() -> None:
        loop.remove_signal_handler(signal.SIGINT)
        stopped.set()

    loop.add_signal_handler(signal.SIGINT, stop)
    try:
        yield stopped
    finally:
        loop.remove_signal_handler(signal.SIGINT)


def figures_of(found: Measurement, descriptors: dict[str, int]) -> dict[str, dict[str, float]]:
    """What is watched for growth, by the names of `UNITS`, of the components that run."""
    times = {"answer": found.post_ms, "lag": found.lag_ms}
    percentiles = [(name, each, p) for name, each in times.items() if each for p in ("p50", "p99")]
    return {
        "time": {f"{name} {p}": getattr(each, p) for name, each, p in percentiles},
        "CPU of a user": {name: us for name, us in found.cpu_us_per_user.items() if us},
        "memory": dict(found.memory_mib),
        "open files and connections": {name: float(count) for name, count in descriptors.items()},
        "disk of a user": dict(found.stored_bytes_per_user),
    }


def growth_of(windows: Sequence[Window]) -> list[Growth]:
    """How every figure has changed after the warming up.

    All intervals together contain the truth in 19 of 20 soaks: with some twenty figures, each alone would
    otherwise seem to change by chance in one soak of twenty, and so some figure in most soaks.
    """
    counted = windows[max(1, round(len(windows) * WARM_UP_SHARE)) :]
    if len(counted) < 2:
        return []
    names = [(group, name) for group, some in counted[0].figures.items() for name in some]
    confidence = 1 - (1 - CONFIDENCE) / max(1, len(names))
    found = []
    for group, name in names:
        points = [(each.hours, each.figures[group][name]) for each in counted if name in each.figures[group]]
        slope, interval = trend(points, confidence)
        ends = (interval.low, interval.high) if interval else (None, None)
        found.append(Growth(f"{group}: {name}", UNITS[group], slope, *ends))
    return found


def answer(windows: Sequence[Window], growth: Sequence[Growth], plan: SoakPlan) -> str:
    """What a soak amounts to, in sentences."""
    loads = f"{len(windows)} loads of {plan.window_seconds:.0f} s at {plan.rate:,.0f} users/s"
    if not growth or growth[0].low is None:
        return f"{loads} are too few to tell whether anything grows."
    sure = [f"{each.what} {verdict(each)}" for each in growth if each.is_sure]
    found = "; ".join(sure) if sure else "no growth that these could show"
    return f"In {60 * windows[-1].hours:,.0f} min, {loads}: {found}."


def verdict(growth: Growth) -> str:
    """How a figure has changed, in words."""
    if growth.low is None or growth.high is None:
        return "too few to tell"
    if not growth.is_sure:
        return "no change to be seen"
    unit = f" {growth.unit}/h" if growth.unit else "/h"
    low, high = sorted((abs(growth.low), abs(growth.high)))
    way = "grows" if growth.per_hour > 0 else "falls"
    return f"{way} by {number(abs(growth.per_hour))}{unit} ({number(low)} to {number(high)})"


def parse_duration(text: str) -> float:
    """Such as 90m, 1h or 1.5h, in seconds.

    Raises:
        ValueError: it is none.
    """
    number, unit = text[:-1], text[-1:]
    try:
        seconds = float(number) * {"m": 60.0, "h": 3600.0}[unit]
    except (ValueError, KeyError):
        raise ValueError(f"{text!r} is no time like 90m or 1h.") from None
    if not 60 <= seconds <= 7 * 24 * 3600:
        raise ValueError("A soak lasts from one minute to a week.")
    return seconds
