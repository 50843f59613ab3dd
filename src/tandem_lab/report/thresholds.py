"""The thresholds that a report is held against, as in `ratio-to-frozen-floor>=0.6`.

`HEADLINES` has the numbers that a threshold can name, with their units. docs/lab.md says what each one is.
"""

import operator
import re
from collections.abc import Callable, Mapping, Sequence

import msgspec

from tandem_lab.bench.load_kinds import Kind
from tandem_lab.bench.results import Measurement, Report, rate_of
from tandem_lab.report.analysis import (
    Quantity,
    RatioId,
    failures,
    generator_busy,
    others_busy,
    outdated,
    ratios,
)
from tandem_lab.report.format import number
from tandem_lab.report.metrics import servers_cpu
from tandem_lab.report.runs import Loads

OPERATORS = {">=": operator.ge, "<=": operator.le, ">": operator.gt, "<": operator.lt}
_FORM = re.compile(r"\s*([\w-]+)\s*(>=|<=|>|<)\s*(\d+(?:\.\d+)?)\s*")

#: How a number is read from a report; None where it was not measured.
Find = Callable[[Loads], float | None]


class Threshold(msgspec.Struct, frozen=True):
    """What is demanded of one number of a report."""

    name: str
    comparison: str
    value: float


class ThresholdOutcome(msgspec.Struct, frozen=True):
    """For people: what was demanded, what was measured, with units, and whether that is enough."""

    demanded: str
    measured: str
    met: bool


def parse_threshold(text: str) -> Threshold:
    """A threshold from `NAME>=VALUE`, with `>=`, `<=`, `>` or `<`.

    Raises:
        ValueError: it has another form, or no number has that name; says what would be right.
    """
    match = _FORM.fullmatch(text)
    if match is None:
        msg = f"{text!r} is no threshold. Write one like ratio-to-frozen-floor>=0.6, with >=, <=, > or <."
        raise ValueError(msg)
    if match[1] not in HEADLINES:
        msg = f"Nothing is called {match[1]!r}. There are: {', '.join(HEADLINES)}."
        raise ValueError(msg)
    return Threshold(match[1], match[2], float(match[3]))


def judge(report: Report, thresholds: Sequence[Threshold]) -> list[ThresholdOutcome]:
    """Hold a report against thresholds. A number that was not measured misses its threshold."""
    loads = Loads(report)
    return [_judge(loads, threshold) for threshold in thresholds]


def _judge(loads: Loads, threshold: Threshold) -> ThresholdOutcome:
    unit, find = HEADLINES[threshold.name]
    found, unit = find(loads), f" {unit}" if unit else ""
    return ThresholdOutcome(
        demanded=f"{threshold.name} {threshold.comparison} {threshold.value:g}{unit}",
        measured=f"{number(found)}{unit}" if found is not None else "nothing",
        met=found is not None and bool(OPERATORS[threshold.comparison](found, threshold.value)),
    )


def _saturated(value: Callable[[Measurement], float]) -> Find:
    return lambda loads: loads.saturated.spread(value).median if loads.saturated else None


def _at_half(of: str, percentile: str) -> Find:
    def find(loads: Loads) -> float | None:
        found = getattr(loads.half.typical, of) if loads.half else None
        return getattr(found, percentile) if found else None

    return find


def _ratio(of: Kind, to: Kind, quantity: Quantity = Quantity.USERS_A_SECOND, instances: int = 0) -> Find:
    wanted = RatioId(of, to, quantity, instances)
    return lambda loads: next((each.spread.median for each in ratios(loads) if each.id == wanted), None)


def _highest(kind: Kind) -> Find:
    return lambda loads: max((each.rate.median for each in loads.all if each.key.kind == kind), default=None)


HEADLINES: Mapping[str, tuple[str, Find]] = {
    "users-per-second": ("users/s", _saturated(rate_of)),
    "ratio-to-frozen-floor": ("", _ratio(Kind.CLOSED, Kind.FROZEN_FLOOR)),
    "ratio-to-current-floor": ("", _ratio(Kind.CLOSED, Kind.CURRENT_FLOOR)),
    "ratio-to-plain-way": ("", _ratio(Kind.CLOSED, Kind.PLAIN_WAY)),
    "ratio-to-pgbench": ("", _ratio(Kind.CLOSED, Kind.ONE_AT_A_TIME)),
    "answer-p50-to-pgbench": ("", _ratio(Kind.CLOSED, Kind.ONE_AT_A_TIME, Quantity.ANSWER_TIME)),
    "lag-p50-at-half": ("ms", _at_half("lag_ms", "p50")),
    "lag-p99-at-half": ("ms", _at_half("lag_ms", "p99")),
    "answer-p50-at-half": ("ms", _at_half("post_ms", "p50")),
    "answer-p99-at-half": ("ms", _at_half("post_ms", "p99")),
    "cpu-of-instances": ("µs", _saturated(lambda each: each.cpu_us_per_user.get("instances", 0.0))),
    "cpu-of-servers": ("µs", _saturated(servers_cpu)),
    "updates-per-second": ("commands/s", _highest(Kind.UPDATE)),
    "deletes-per-second": ("commands/s", _highest(Kind.DELETE)),
    "ratio-updates-to-creates": ("", _ratio(Kind.UPDATE, Kind.CLOSED)),
    "ratio-deletes-to-creates": ("", _ratio(Kind.DELETE, Kind.CLOSED)),
    "ratio-aggregate-to-users": ("", _ratio(Kind.AGGREGATE, Kind.USERS_ALIKE)),
    "outdated-reads": ("", lambda loads: outdated(loads.report)),
    "reads-by-id": ("reads/s", _highest(Kind.BY_ID)),
    "reads-by-email": ("reads/s", _highest(Kind.BY_EMAIL)),
    "reads-to-find-one": ("", _ratio(Kind.BY_EMAIL, Kind.FIND_ONE)),
    "document-to-join": ("", _ratio(Kind.DOCUMENT, Kind.JOIN)),
    "three-instances-to-one": (
        "",
        _ratio(Kind.CLOSED, Kind.CLOSED, Quantity.USERS_A_CPU_SECOND, instances=3),
    ),
    "failed-requests": ("", lambda loads: failures(loads.report)),
    "generator-busy": ("", lambda loads: generator_busy(loads.report)),
    "others-busy": ("", lambda loads: others_busy(loads.report)),
}
