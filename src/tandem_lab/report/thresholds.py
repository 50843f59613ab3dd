"""The thresholds that a report is held against, as in `ratio-to-frozen-floor>=0.6`.

`HEADLINES` has the numbers that a threshold can name, with their units. docs/lab.md says what each one is.
"""

import operator
import re
from collections.abc import Callable, Mapping, Sequence
from statistics import median

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
from tandem_lab.report.costs import prediction_of
from tandem_lab.report.format import spread
from tandem_lab.report.metrics import servers_cpu
from tandem_lab.report.runs import Latency, Loads
from tandem_lab.statistics import median_with_spread

OPERATORS = {">=": operator.ge, "<=": operator.le, ">": operator.gt, "<": operator.lt}
_FORM = re.compile(r"\s*(worst:)?\s*([\w-]+)\s*(>=|<=|>|<)\s*(\d+(?:\.\d+)?)\s*")

#: How a number is read from a report: its value in each round; empty where it was not measured.
Find = Callable[[Loads], Sequence[float]]


class Threshold(msgspec.Struct, frozen=True):
    """What is demanded of one number of a report: of the median of its rounds, or of the worst of them."""

    name: str
    comparison: str
    value: float
    worst: bool = False


class ThresholdOutcome(msgspec.Struct, frozen=True):
    """For people: what was demanded, what was measured, with units, and whether that is enough."""

    demanded: str
    measured: str
    met: bool


def parse_threshold(text: str) -> Threshold:
    """A threshold from `NAME>=VALUE` or `worst:NAME>=VALUE`, with `>=`, `<=`, `>` or `<`.

    Raises:
        ValueError: it has another form, or no number has that name; says what would be right.
    """
    match = _FORM.fullmatch(text)
    if match is None:
        msg = f"{text!r} is no threshold. Write one like ratio-to-frozen-floor>=0.6, with >=, <=, > or <."
        raise ValueError(msg)
    worst, name, comparison, value = match.groups()
    if name not in HEADLINES:
        msg = f"Nothing is called {name!r}. There are: {', '.join(HEADLINES)}."
        raise ValueError(msg)
    return Threshold(name, comparison, float(value), bool(worst))


def judge(report: Report, thresholds: Sequence[Threshold]) -> list[ThresholdOutcome]:
    """Hold a report against thresholds. A number that was not measured misses its threshold."""
    loads = Loads(report)
    return [_judge(loads, threshold) for threshold in thresholds]


def _judge(loads: Loads, threshold: Threshold) -> ThresholdOutcome:
    unit, find = HEADLINES[threshold.name]
    rounds, unit = find(loads), f" {unit}" if unit else ""
    which = "worst:" if threshold.worst else ""
    demanded = f"{which}{threshold.name} {threshold.comparison} {threshold.value:g}{unit}"
    if not rounds:
        return ThresholdOutcome(demanded, "nothing", met=False)
    found = median_with_spread(rounds)
    worst = found.min if threshold.comparison.startswith(">") else found.max
    judged = worst if threshold.worst else found.median
    met = bool(OPERATORS[threshold.comparison](judged, threshold.value))
    return ThresholdOutcome(demanded, f"{spread(found)}{unit}", met)


def _saturated(value: Callable[[Measurement], float | None]) -> Find:
    def find(loads: Loads) -> list[float]:
        found = map(value, loads.saturated.measurements if loads.saturated else ())
        return [each for each in found if each is not None]

    return find


def _lags_at_saturation(loads: Loads) -> list[float]:
    return loads.saturated.milliseconds("lag_ms", "p99") if loads.saturated else []


def _at_half(of: Latency, percentile: str) -> Find:
    return lambda loads: loads.half.milliseconds(of, percentile) if loads.half else ()


def _ratio(of: Kind, to: Kind, quantity: Quantity = Quantity.USERS_A_SECOND, instances: int = 0) -> Find:
    wanted = RatioId(of, to, quantity, instances)
    return lambda loads: next((each.rounds for each in ratios(loads) if each.id == wanted), ())


def _three_to_one(quantity: Quantity) -> Find:
    return _ratio(Kind.CLOSED, Kind.CLOSED, quantity, instances=3)


def _highest(kind: Kind) -> Find:
    def find(loads: Loads) -> list[float]:
        rates = [list(map(rate_of, each.measurements)) for each in loads.all if each.key.kind == kind]
        return max(rates, key=median, default=[])

    return find


HEADLINES: Mapping[str, tuple[str, Find]] = {
    "users-per-second": ("users/s", _saturated(rate_of)),
    "ratio-to-frozen-floor": ("", _ratio(Kind.CLOSED, Kind.FROZEN_FLOOR)),
    "ratio-to-current-floor": ("", _ratio(Kind.CLOSED, Kind.CURRENT_FLOOR)),
    "ratio-to-plain-way": ("", _ratio(Kind.CLOSED, Kind.PLAIN_WAY)),
    "ratio-to-pgbench": ("", _ratio(Kind.CLOSED, Kind.ONE_AT_A_TIME)),
    "answer-p50-to-pgbench": ("", _ratio(Kind.CLOSED, Kind.ONE_AT_A_TIME, Quantity.ANSWER_P50)),
    "answer-p99-to-pgbench": ("", _ratio(Kind.CLOSED, Kind.ONE_AT_A_TIME, Quantity.ANSWER_P99)),
    "lag-p50-at-half": ("ms", _at_half("lag_ms", "p50")),
    "lag-p99-at-half": ("ms", _at_half("lag_ms", "p99")),
    "lag-p99-at-saturation": ("ms", _lags_at_saturation),
    "answer-p50-at-half": ("ms", _at_half("post_ms", "p50")),
    "answer-p99-at-half": ("ms", _at_half("post_ms", "p99")),
    "cpu-of-instances": ("µs", _saturated(lambda each: each.cpu_us_per_user.get("instances"))),
    "cpu-of-event-loop": ("µs", _saturated(lambda each: each.event_loop_us_per_user)),
    "cpu-of-servers": ("µs", _saturated(servers_cpu)),
    "updates-per-second": ("commands/s", _highest(Kind.UPDATE)),
    "deletes-per-second": ("commands/s", _highest(Kind.DELETE)),
    "ratio-updates-to-creates": ("", _ratio(Kind.UPDATE, Kind.CLOSED)),
    "ratio-deletes-to-creates": ("", _ratio(Kind.DELETE, Kind.CLOSED)),
    "ratio-aggregate-to-users": ("", _ratio(Kind.AGGREGATE, Kind.USERS_ALIKE)),
    "outdated-reads": ("", lambda loads: [outdated(loads.report)] if loads.report.own_writes else []),
    "reads-by-id": ("reads/s", _highest(Kind.BY_ID)),
    "reads-by-email": ("reads/s", _highest(Kind.BY_EMAIL)),
    "reads-to-find-one": ("", _ratio(Kind.BY_EMAIL, Kind.FIND_ONE)),
    "document-to-join": ("", _ratio(Kind.DOCUMENT, Kind.JOIN)),
    "three-instances-to-one": (
        "",
        lambda loads: [1 / cpu for cpu in _three_to_one(Quantity.CPU)(loads) if cpu],
    ),
    "three-instances-rate-to-one": ("", _three_to_one(Quantity.USERS_A_SECOND)),
    "three-instances-cpu-to-one": ("", _three_to_one(Quantity.CPU)),
    "three-instances-cpu-without-nginx-to-one": ("", _three_to_one(Quantity.CPU_WITHOUT_NGINX)),
    "cells-prediction-error": ("", lambda loads: [found.error] if (found := prediction_of(loads)) else []),
    "failed-requests": ("", lambda loads: [failures(loads.report)]),
    "generator-busy": ("", lambda loads: [generator_busy(loads.report)]),
    "others-busy": ("", lambda loads: [others_busy(loads.report)]),
}
