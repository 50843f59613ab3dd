"""How throughput grows with instances, and with connections: curve, fit, fairness, prediction."""

from collections.abc import Mapping, Sequence
from typing import Any

from tandem_lab.bench.load_kinds import Kind
from tandem_lab.bench.results import Report
from tandem_lab.report.analysis import instances_ratios, limit_of, threads_of
from tandem_lab.report.chart import Line, Linear
from tandem_lab.report.format import number, spread
from tandem_lab.report.markup import Content, element, table
from tandem_lab.report.metrics import SERVERS, rate_of, servers_cpu
from tandem_lab.report.plots import plotted
from tandem_lab.report.runs import Runs, runs_of
from tandem_lab.saturation import predicted_capacity
from tandem_lab.scalability import ScalabilityFit, fit_scalability, speed_up_table
from tandem_lab.statistics import jain_index

ENOUGH_POINTS = 2
CURVE_STEPS = 60
FARTHER = 1.25  # how far beyond the last measurement the curve is drawn
CORES = (1, 2, 4, 8)  # times as many as were measured with
#: PostgreSQL, MongoDB, nginx and the load generator: busy programs besides the instances.
BESIDE_INSTANCES = 4


def sentences(report: Report) -> list[Content]:
    """The answer of a report on scaling, for somebody who reads only this."""
    found = _by(_behind_nginx(runs_of(report)), "instances")
    if not found:
        return [element("p", "This report has no closed load, so it cannot say how the service scales.")]
    first, last = min(found), max(found)
    best = max(found, key=lambda n: found[n].rate.median)
    times = found[last].rate.median / found[first].rate.median
    contents: list[Content] = [
        element(
            "p",
            f"With {found[first].key.connections} connections, {_named(first)} ",
            element("strong", f"{number(found[first].rate.median)} users a second"),
            f" all the way, and {_named(last)} {number(found[last].rate.median)}: {number(last / first)} "
            f"times as many instances, {number(times)} times as many users. The most were carried by {best}.",
        )
    ]
    contents += [
        element(
            "p",
            f"For each second of CPU that all servers spend, {last} instances behind nginx bring ",
            element("strong", f"{number(ratio.spread.median)} times"),
            " as many users to the end as one instance that is asked directly.",
        )
        for ratio in instances_ratios(runs_of(report))
        if ratio.id.instances == last
    ]
    return [*contents, _too_few_cores(last, report.environment)]


def over_instances(runs: Sequence[Runs], environment: Mapping[str, Any]) -> list[Content]:
    """Throughput by the number of instances, under the same load, with all that follows from it."""
    found = _by(_behind_nginx(runs), "instances")
    if len(found) < ENOUGH_POINTS:
        return []
    contents = _curve("instances", found)
    rows = [
        (str(n), number(each.spread(servers_cpu).median), _fairness(each), limit_of(each, environment))
        for n, each in found.items()
    ]
    header = ("instances", "CPU of all servers, µs/user", "fairness, least", "what limits it")
    contents.append(table("What stands in the way", header, rows))
    return [*contents, _too_few_cores(max(found), environment), *_prediction(found, environment)]


def over_connections(runs: Sequence[Runs]) -> list[Content]:
    """Throughput by the number of connections, to the instances that were tried with most different ones."""
    tried: dict[tuple[int, bool], list[Runs]] = {}
    for each in runs:
        tried.setdefault((each.key.instances, each.key.through_nginx), []).append(each)
    curves = [_by(each, "connections") for each in tried.values()]
    found = max(curves, key=len, default={})
    return _curve("connections", found) if len(found) > ENOUGH_POINTS else []


def _behind_nginx(runs: Sequence[Runs]) -> list[Runs]:
    """What is alike but for the number of instances: all through nginx, and under the same load."""
    closed = [each for each in runs if each.key.kind == Kind.CLOSED]
    through = [each for each in closed if each.key.through_nginx] or closed
    most = max((each.key.connections for each in through), default=0)
    return [each for each in through if each.key.connections == most]


def _by(runs: Sequence[Runs], what: str) -> dict[int, Runs]:
    """Closed loads by a number of theirs, ascending; of several, that with the most connections."""
    closed = [each for each in runs if each.key.kind == Kind.CLOSED and each.rate.min > 0]
    closed.sort(key=lambda each: (getattr(each.key, what), each.key.connections))
    return {getattr(each.key, what): each for each in closed}


def _named(instances: int) -> str:
    return "one instance behind nginx carries" if instances == 1 else f"{instances} instances carry"


def _too_few_cores(instances: int, environment: Mapping[str, Any]) -> Content:
    """What keeps this machine from showing how the service scales, if it does."""
    cores = environment.get("machine", {}).get("cores", 0)
    if not 0 < cores < instances + BESIDE_INSTANCES:
        return None
    return element(
        "p",
        f"This machine has {cores} cores for up to {instances + BESIDE_INSTANCES} busy programs: the "
        "instances, PostgreSQL, MongoDB, nginx and the load generator. What bends the curve here is shared "
        "CPU, not coherency between instances. The CPU per user does not depend on the number of cores; what "
        "it allows on larger machines is in the table of predictions.",
    )


def _curve(what: str, found: Mapping[int, Runs]) -> list[Content]:
    throughputs = {n: [rate_of(each) or 0.0 for each in runs.measurements] for n, runs in found.items()}
    fit = fit_scalability(throughputs)
    first, last = min(throughputs), max(throughputs)
    table_rows = speed_up_table(throughputs)
    of_one = table_rows[0].throughput / first
    measured = [(float(n), x) for n, repeats in throughputs.items() for x in repeats]
    highest = max(x for _, x in measured) * FARTHER
    # A straight line that leaves the picture on its way is drawn as far as it goes.
    ideal_end = min(last * FARTHER, highest / of_one)
    lines = [
        Line("measured, every round", "measured", measured, dots=True, stroke=False),
        Line("if each were as good as the first", "ideal", [(0.0, 0.0), (ideal_end, of_one * ideal_end)]),
    ]
    if fit.curve is not None:
        steps = [first + (last * FARTHER - first) * step / CURVE_STEPS for step in range(CURVE_STEPS + 1)]
        lines.append(Line("fit", "fit", [(n, fit.curve.throughput(n)) for n in steps]))
        highest = max(highest, *(x for _, x in lines[-1].points))
    rows = [
        (str(row.n), spread(found[row.n].rate), f"{row.speed_up:.2f}", f"{row.efficiency:.0%}")
        for row in table_rows
    ]
    picture = plotted(
        f"Throughput by {what}", what, "users per second", Linear(last * FARTHER), Linear(highest), lines
    )
    header = (what, "users/s", "speed-up", "efficiency")
    return [picture, element("div", table(f"Throughput by {what}", header, rows), _fit_table(fit))]


def _fit_table(fit: ScalabilityFit) -> Content:
    """The law's parameters with their intervals, or why they are unknown."""
    rows = [
        ("users/s of one (lambda)", str(fit.rate)),
        ("contention (sigma): the share that only one can do at a time", str(fit.sigma)),
        ("coherency (kappa): what every pair costs", str(fit.kappa)),
        ("most useful number (peak)", str(fit.peak)),
        ("share of the variance explained", "none" if fit.r_squared is None else f"{fit.r_squared:.1%}"),
    ]
    return table("Universal Scalability Law, with 95% intervals", ("parameter", "value"), rows)


def _fairness(runs: Runs) -> str:
    """Jain's index of the users that each instance created, of the least fair round."""
    shares = [list(each.users_of_instances.values()) for each in runs.measurements if each.users_of_instances]
    return f"{min(map(jain_index, shares)):.3f}" if shares else ""


def _prediction(found: Mapping[int, Runs], environment: Mapping[str, Any]) -> list[Content]:
    """What more cores would carry, from the CPU that the servers spend on a user."""
    cores = [environment.get("machine", {}).get("cores", 0) * factor for factor in CORES]
    rows = []
    for n, runs in found.items():
        cost = {name: us for name, us in runs.typical.cpu_us_per_user.items() if name in SERVERS}
        if not cores[0] or not any(cost.values()):
            return []
        rows.append((str(n), *(number(predicted_capacity(cost, count, threads_of(n))) for count in cores)))
    caption = "Users/s that the CPU per user allows, at most, with the load generator elsewhere"
    return [table(caption, ("instances", *(f"{count} cores" for count in cores)), rows)]
