"""The thresholds that a report is held against, as in `ratio-to-frozen-floor>=0.6`."""

import operator
import re
from collections.abc import Sequence

import msgspec

from tandem_lab.bench.results import Report
from tandem_lab.report.format import number
from tandem_lab.report.headlines import HEADLINES
from tandem_lab.report.runs import Loads

OPERATORS = {">=": operator.ge, "<=": operator.le, ">": operator.gt, "<": operator.lt}
_FORM = re.compile(r"\s*([\w-]+)\s*(>=|<=|>|<)\s*(\d+(?:\.\d+)?)\s*")


class Threshold(msgspec.Struct, frozen=True):
    """What is demanded of one number of a report."""

    name: str
    comparison: str
    value: float


class ThresholdOutcome(msgspec.Struct, frozen=True):
    """For people: what was demanded, what was measured (with its unit), and whether that is enough."""

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
    headline = HEADLINES[threshold.name]
    found = headline.value(loads)
    unit = f" {headline.unit}" if headline.unit else ""
    return ThresholdOutcome(
        demanded=f"{threshold.name} {threshold.comparison} {threshold.value:g}{unit}",
        measured=f"{number(found)}{unit}" if found is not None else "nothing",
        met=found is not None and bool(OPERATORS[threshold.comparison](found, threshold.value)),
    )
