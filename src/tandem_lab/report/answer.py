"""The answer: what a reader wants to know first, in a few sentences and big numbers."""

from collections.abc import Mapping, Sequence
from typing import Any

from tandem_lab.bench.load_kinds import Kind
from tandem_lab.bench.results import Report
from tandem_lab.report.analysis import Ratio, half_load, limit_of, warnings
from tandem_lab.report.format import number, rounds
from tandem_lab.report.markup import Content, element
from tandem_lab.report.metrics import servers_cpu
from tandem_lab.report.runs import Runs, saturation_runs
from tandem_lab.report.thresholds import ThresholdOutcome

DURABILITY = ("fsync", "full_page_writes", "synchronous_commit")


def warning_boxes(report: Report) -> list[Content]:
    """Each warning in a box of its own."""
    return [element("p", element("strong", "Mind: "), text, class_="warning") for text in warnings(report)]


def sentences(runs: Sequence[Runs], environment: Mapping[str, Any]) -> list[Content]:
    """The answer for somebody who reads only this."""
    saturated = saturation_runs(runs)
    if saturated is None:
        return [element("p", "This report has no closed load, so it cannot say how much the service can do.")]
    rate, key = saturated.rate, saturated.key
    subject = "One instance carries" if key.instances == 1 else f"{key.instances} instances carry"
    between = f", between {number(rate.min)} and {number(rate.max)}" if rate.repeats > 1 else ""
    contents: list[Content] = [
        element(
            "p",
            f"{subject} ",
            element("strong", f"{number(rate.median)} users a second"),
            f" all the way: stored in PostgreSQL, copied to MongoDB, and the copy recorded. That is "
            f"{rounds(rate.repeats)}{between}, with {key.connections} connections that send the next user as "
            "soon as the last one is answered.",
        )
    ]
    half = half_load(runs, key.instances)
    contents += [_growth(runs, saturated), _at_half(half) if half is not None else None]
    limit = limit_of(saturated, environment)
    return [*contents, element("p", limit)] if limit else contents


def big_numbers(runs: Sequence[Runs], ratios: Sequence[Ratio]) -> list[Content]:
    """The numbers to remember, each with what it is and how far it spreads."""
    saturated = saturation_runs(runs)
    if saturated is None:
        return []
    rate = saturated.rate
    cards = [_card(number(rate.median), "users/s", "at saturation", _range(rate.min, rate.max, rate.repeats))]
    half = half_load(runs, saturated.key.instances)
    if half is not None:
        share = f"at {half.key.percent}% of that rate"
        for name, found in (("lag", half.typical.lag_ms), ("answer", half.typical.post_ms)):
            if found is not None:
                cards.append(
                    _card(number(found.p99), "ms", f"{name} p99 {share}", f"p50: {number(found.p50)} ms")
                )
    cpu = saturated.spread(servers_cpu)
    if cpu.median:
        own = saturated.spread(lambda each: each.cpu_us_per_user.get("instances", 0.0)).median
        cards.append(
            _card(number(cpu.median), "µs", "CPU of all servers per user", f"instances: {number(own)} µs")
        )
    for ratio in ratios:
        found_ratio = ratio.spread
        beside = _range(found_ratio.min, found_ratio.max, found_ratio.repeats)
        cards.append(_card(number(found_ratio.median), "", ratio.id.name, beside))
    return [element("dl", *cards, class_="cards")]


def durability(environment: Mapping[str, Any]) -> list[Content]:
    """What every number was measured with."""
    postgres, mongodb = environment.get("postgres", {}), environment.get("mongodb", {})
    settings = [f"{name} = {postgres[name]}" for name in DURABILITY if name in postgres]
    if "write_concern" in mongodb:
        settings.append(f"MongoDB: {mongodb['write_concern']}")
    return (
        [element("p", "Every number here is with ", "; ".join(settings), ".", class_="quiet")]
        if settings
        else []
    )


def verdict(thresholds: Sequence[ThresholdOutcome]) -> list[Content]:
    """The thresholds that were asked for, and whether each is met."""
    if not thresholds:
        return []
    missed = sum(not each.met for each in thresholds)
    met = len(thresholds) - missed
    summary = f"{met} of {len(thresholds)} thresholds met" + (f", {missed} missed." if missed else ".")
    items = [
        element(
            "li",
            element("b", "✓ met" if each.met else "✗ missed"),
            element("span", f"{each.demanded}: measured {each.measured}"),
            class_="met" if each.met else "missed",
        )
        for each in thresholds
    ]
    return [element("p", summary), element("ul", *items, class_="verdict")]


def _growth(runs: Sequence[Runs], saturated: Runs) -> Content:
    """How much more that is than what the fewest instances carry."""
    fewest = min(each.key.instances for each in runs if each.key.kind == Kind.CLOSED)
    first = saturation_runs(runs, fewest)
    if first is None or fewest == saturated.key.instances or not first.rate.median:
        return None
    times, more = saturated.rate.median / first.rate.median, saturated.key.instances / fewest
    return element(
        "p",
        f"{fewest} instance{'s carry' if fewest > 1 else ' carries'} {number(first.rate.median)} users a "
        f"second; {number(more)} times as many instances make that {number(times)} times as much.",
    )


def _at_half(half: Runs) -> Content:
    typical = half.typical
    parts: list[str] = [f"At {half.key.percent}% of that, {number(half.rate.median)} users a second"]
    if typical.lag_ms is not None:
        lag = typical.lag_ms
        parts.append(
            f"half of all users were through after {number(lag.p50)} ms and 99% within {number(lag.p99)} ms"
        )
    if typical.post_ms is not None:
        post = typical.post_ms
        parts.append(
            f"clients had their answer after {number(post.p50)} ms (p50) and {number(post.p99)} ms (p99)"
        )
    return element("p", parts[0], ", ", "; ".join(parts[1:]), ".")


def _card(value: str, unit: str, what: str, beside: str) -> Content:
    return element(
        "div",
        element("dt", what),
        element("dd", element("b", value), f" {unit}"),
        element("dd", beside, class_="quiet"),
    )


def _range(least: float, most: float, repeats: int) -> str:
    return "measured once" if repeats == 1 else f"{number(least)} to {number(most)} in {repeats} rounds"
