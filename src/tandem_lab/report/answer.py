"""The answer: what a reader wants to know first, in a few sentences and big numbers."""

from collections.abc import Sequence
from statistics import median

from tandem_lab.bench.load_kinds import BESIDE_USERS, Kind
from tandem_lab.report.analysis import DURABILITY, Ratio, limit_of, ratios, warnings
from tandem_lab.report.format import number, rounds
from tandem_lab.report.markup import Content, element, explained, worded
from tandem_lab.report.metrics import component_name, cpu_by_thread, servers_cpu
from tandem_lab.report.runs import LATENCIES, Loads, Runs
from tandem_lab.report.tables import WHAT_IT_IS
from tandem_lab.report.thresholds import ThresholdOutcome
from tandem_lab.statistics import Spread


def warning_boxes(loads: Loads) -> list[Content]:
    """Each warning in a box of its own. What a report of peers leaves out has a section instead."""
    elsewhere = loads.report.left_out if loads.report.kind == "peers" else []
    shown = [text for text in warnings(loads) if text not in elsewhere]
    return [element("p", element("strong", "Mind: "), text, class_="warning") for text in shown]


def sentences(loads: Loads) -> list[Content]:
    """The answer for a reader who reads nothing else."""
    saturated = loads.saturated
    if saturated is None:
        return [_beside_users(loads)]
    rate, key = saturated.rate, saturated.key
    subject = "One instance carries" if key.instances == 1 else f"{key.instances} instances carry"
    between = f", between {number(rate.min)} and {number(rate.max)}" if rate.repeats > 1 else ""
    answer = element(
        "p",
        f"{subject} ",
        element("strong", f"{number(rate.median)} users a second"),
        " all the way: stored in PostgreSQL, copied to MongoDB, and the copy recorded.",
    )
    how = element(
        "p",
        f"That is {rounds(rate.repeats)}{between}, with {key.connections} connections that send the next "
        "user as soon as the last one is answered.",
    )
    limit = limit_of(saturated, loads)
    return [
        answer,
        how,
        _growth(loads, saturated),
        _at_half(loads.half),
        element("p", limit) if limit else None,
    ]


def big_numbers(loads: Loads) -> list[Content]:
    """The numbers to remember, each with what it is and how far it spreads."""
    cards = [] if loads.saturated is None else _cards_of(loads.saturated, loads.half)
    # Of several numbers of instances, the largest has its cards.
    most = max((each.key.instances for each in loads.closed), default=0)
    cards += [
        _card(number(found.median), "", _explained(ratio), _range(found))
        for ratio in ratios(loads)
        if ratio.id.instances in {0, most}
        for found in [ratio.spread]
    ]
    return [element("dl", *cards, class_="cards")] if cards else []


def _cards_of(saturated: Runs, half: Runs | None) -> list[Content]:
    rate = saturated.rate
    cards = [_card(number(rate.median), "users/s", "at saturation", _range(rate))]
    if half is not None:
        share = f"at {half.key.percent}% of that rate"
        cards += [
            _card(number(found.median), "ms", f"{name} p99 {share}", _range(found))
            for name, of in LATENCIES.items()
            if (found := half.latency(of, "p99"))
        ]
    cpu = saturated.spread(servers_cpu)
    if cpu.median:
        costs = [each.cpu_us_per_user | cpu_by_thread(each) for each in saturated.measurements]
        parts = {name: [cost[name] for cost in costs if name in cost] for name in ("instances", "event-loop")}
        said = [f"{component_name(name)}: {number(median(us))} µs" for name, us in parts.items() if us]
        cards.append(_card(number(cpu.median), "µs", "CPU of all servers per user", ", ".join(said)))
    return cards


def durability(loads: Loads) -> list[Content]:
    """The durability that every number was measured with."""
    postgres, mongodb = (loads.report.environment.get(name, {}) for name in ("postgres", "mongodb"))
    settings = [f"{name} = {postgres[name]}" for name in DURABILITY if name in postgres]
    if "write_concern" in mongodb:
        settings.append(f"MongoDB: {mongodb['write_concern']}")
    said = element("p", "Every number here is with ", "; ".join(settings), ".", class_="quiet")
    return [said] if settings else []


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


def _beside_users(loads: Loads) -> Content:
    """How fast an aggregate is created, and users as large."""
    rates = {each.key.kind: number(each.rate.median) for each in loads.beside_users}
    if len(rates) < len(BESIDE_USERS):
        return element("p", "This report has no closed load, so it cannot say how much the service can do.")
    return element(
        "p",
        element(
            "strong", f"{rates[Kind.AGGREGATE]} {loads.report.environment['aggregate']['name']} a second"
        ),
        f" went all the way, as fast as they go, and in turn with them {rates[Kind.USERS_ALIKE]} users whose "
        "events are as large.",
    )


def _growth(loads: Loads, saturated: Runs) -> Content:
    """How much more that is than what the fewest instances carry."""
    fewest = min(each.key.instances for each in loads.closed)
    first = loads.saturated_with(fewest)
    if first is None or fewest == saturated.key.instances or not first.rate.median:
        return None
    times, more = saturated.rate.median / first.rate.median, saturated.key.instances / fewest
    return element(
        "p",
        f"{fewest} instance{'s carry' if fewest > 1 else ' carries'} {number(first.rate.median)} users a "
        f"second; {number(more)} times as many instances make that {number(times)} times as much.",
    )


def _at_half(half: Runs | None) -> Content:
    if half is None:
        return None
    lags, answers = (
        [number(found.median) for each in ("p50", "p99") if (found := half.latency(of, each))]
        for of in (LATENCIES["lag"], LATENCIES["answer"])
    )
    said = []
    if lags:
        said.append(f"half of all users were through after {lags[0]} ms and 99% within {lags[1]} ms")
    if answers:
        said.append(f"clients had their answer after {answers[0]} ms (p50) and {answers[1]} ms (p99)")
    rate = f"At {half.key.percent}% of that, {number(half.rate.median)} users a second"
    if half.behind:
        said.append(f"it {half.behind}")
    return element("p", rate, ", ", "; ".join(said), ".")


def _explained(ratio: Ratio) -> Content:
    """Its name, and what the service is compared with."""
    what = WHAT_IT_IS.get(ratio.id.to)
    return explained(ratio.id.name, f"{ratio.id.to}: {what}") if what else ratio.id.name


def _card(value: str, unit: str, what: Content, beside: str) -> Content:
    return element(
        "div",
        element("dt", worded(what)),
        element("dd", element("b", value), f" {unit}"),
        element("dd", beside, class_="quiet"),
    )


def _range(found: Spread) -> str:
    if found.repeats == 1:
        return "measured once"
    return f"{number(found.min)} to {number(found.max)} in {found.repeats} rounds"
