"""The pages of rates that hold limits, and of a soak."""

from collections.abc import Iterator, Sequence
from typing import Any
from xml.etree.ElementTree import Element

from tandem_lab.bench.slo import LimitsReport, Subject
from tandem_lab.bench.soak import UNITS, SoakReport, verdict
from tandem_lab.report.chart import Line, linear, logarithmic
from tandem_lab.report.format import number
from tandem_lab.report.markup import element, section, table
from tandem_lab.report.page import page_with
from tandem_lab.report.plots import plotted

MOST_LINES = 4


def limits_page(report: LimitsReport) -> str:
    """The answer for each subject, then its steps as a plot and a table."""
    return _page(
        "Rates under limits",
        report,
        [each.answer for each in report.subjects],
        [_subject(report, subject) for subject in report.subjects],
    )


def soak_page(report: SoakReport) -> str:
    """What grows, then each figure over time."""
    rows = [(each.what, number(each.per_hour), verdict(each)) for each in report.growth]
    growth = table("How each figure changes", ("figure", "per hour", "in words"), rows)
    groups = {group: list(_over_time(report, group, unit)) for group, unit in UNITS.items()}
    plots = [section(group, group.capitalize(), *found) for group, found in groups.items() if found]
    return _page("A long load", report, [report.answer], [section("growth", "What grows", growth), *plots])


def slo_header(subject: Subject) -> list[str]:
    """The columns of the table of steps."""
    times = [f"{name} {p}" for name in _timed(subject) for p in ("p50", "p99")]
    return ["due/s", "seconds", *times, "errors", "misses"]


def slo_rows(subject: Subject) -> Iterator[list[str]]:
    """A row for each step: latencies in ms."""
    for step in subject.steps:
        seen = step.observed
        times = [(seen.ms.get(name), p) for name in _timed(subject) for p in ("p50", "p99")]
        yield [
            f"{seen.rate:,.0f}",
            f"{seen.seconds:.0f}",
            *(number(getattr(found, p)) if found else "" for found, p in times),
            f"{seen.errors:.2%}" if seen.errors else "",
            "; ".join(step.missed),
        ]


def _timed(subject: Subject) -> list[str]:
    return list(dict.fromkeys(name for step in subject.steps for name in step.observed.ms))


def _subject(report: LimitsReport, subject: Subject) -> Element:
    bounds = [each for each in report.bounds if each.name != "errors"]
    lines = []
    for n, bound in enumerate(bounds[:MOST_LINES], 1):
        found = [(step.observed.rate, bound.of(step.observed)) for step in subject.steps]
        points = sorted((rate, ms) for rate, ms in found if ms)
        lines.append(Line(bound.text, f"series-{n}", points, dots=True, stroke=False))
    values = [ms for line in lines for _, ms in line.points]
    plot = None
    if values:
        rates = [step.observed.rate for step in subject.steps]
        x, y = (
            ("due per second", linear(max(rates))),
            ("ms, logarithmic", logarithmic(min(values), max(values))),
        )
        plot = plotted(f"{subject.name}: every step", x, y, lines, subject.rate)
    steps = table(f"{subject.name}: every step, times in ms", slo_header(subject), slo_rows(subject))
    return section(subject.name, subject.name, plot, steps)


def _over_time(report: SoakReport, group: str, unit: str) -> Iterator[Element]:
    names = list(dict.fromkeys(name for each in report.windows for name in each.figures[group]))
    for some in (names[at : at + MOST_LINES] for at in range(0, len(names), MOST_LINES)):
        lines = [
            Line(
                name, f"series-{n}", [(60 * w.hours, w.figures[group].get(name, 0.0)) for w in report.windows]
            )
            for n, name in enumerate(some, 1)
        ]
        most = max(value for line in lines for _, value in line.points)
        x = ("minutes since it began", linear(max(60 * each.hours for each in report.windows)))
        yield plotted(group, x, (f"{group}, {unit}".rstrip(", "), linear(most)), lines)


def _page(title: str, report: Any, answers: Sequence[str], sections: Sequence[Element]) -> str:
    machine = report.environment.get("machine", {})
    where = f"{machine.get('processor', 'unknown processor')}, {machine.get('cores', '?')} cores"
    delays = ", ".join(f"{name} answers {1000 * by:g} ms later" for name, by in report.delays.items())
    answer = section("answer", "The answer", *(element("p", each, class_="lead") for each in answers if each))
    return page_with(title, f"Begun {report.begun_at} on {where}. {delays}".strip(), [answer, *sections])
