"""How throughput grows with instances, and with connections: curve, fit, fairness, prediction."""

from collections.abc import Mapping, Sequence

from tandem_lab.bench.load_kinds import Kind
from tandem_lab.bench.results import rate_of
from tandem_lab.report.analysis import OF_INSTANCES, Quantity, beside_one, limit_of, threads_of
from tandem_lab.report.chart import Line, linear
from tandem_lab.report.format import number, spread
from tandem_lab.report.markup import Content, element, table
from tandem_lab.report.metrics import SERVERS, THREADS, cpu_by_thread, servers_cpu
from tandem_lab.report.plots import plotted
from tandem_lab.report.runs import Loads, Runs
from tandem_lab.saturation import predicted_capacity
from tandem_lab.scalability import ScalabilityFit, fit_scalability, speed_up_table

ENOUGH_POINTS = 2
CURVE_STEPS = 60
FARTHER = 1.25  # how far beyond the last measurement the curve is drawn
CORES = (1, 2, 4, 8)  # multiples of the cores of the measurement
#: PostgreSQL, MongoDB, nginx and the load generator: busy programs besides the instances.
BESIDE_INSTANCES = 4


def sentences(loads: Loads) -> list[Content]:
    """The answer of a report on scaling, for a reader who reads nothing else."""
    found = _by(_behind_nginx(loads), "instances")
    if not found:
        return [element("p", "This report has no closed load, so it cannot say how the service scales.")]
    first, last = min(found), max(found)
    least, most = found[first].rate.median, found[last].rate.median
    best = max(found, key=lambda n: found[n].rate.median)
    contents: list[Content] = [
        element(
            "p",
            f"With {found[first].key.connections} connections, {_named(first)} ",
            element("strong", f"{number(least)} users a second"),
            f" all the way, and {_named(last)} {number(most)}: {number(last / first)} times as many "
            f"instances, {number(most / least)} times as many users. The most were carried by {best}.",
        )
    ]
    return [*contents, _beside_one(last, loads), _too_few_cores(last, loads)]


def _beside_one(instances: int, loads: Loads) -> Content:
    """How instances behind nginx compare with one that is asked directly."""
    found = {quantity: number(ratio.median) for quantity, ratio in beside_one(instances, loads).items()}
    if not found:
        return None
    return element(
        "p",
        f"Beside one instance that is asked directly, {instances} behind nginx carry ",
        element("strong", f"{found[Quantity.USERS_A_SECOND]} times"),
        " as many users a second, and a user costs all servers ",
        element("strong", f"{found[Quantity.CPU]} times"),
        f" as much CPU, or {found[Quantity.CPU_WITHOUT_NGINX]} times without the share of nginx.",
    )


def over_instances(loads: Loads) -> list[Content]:
    """Throughput by the number of instances under the same load, with what limits it and a prediction."""
    found = _by(_behind_nginx(loads), "instances")
    if len(found) < ENOUGH_POINTS:
        return []
    rows = []
    for n, runs in found.items():
        fairness = "" if runs.fairness is None else f"{runs.fairness:.3f}"
        beside = beside_one(n, loads)
        ratios = (spread(beside[each]) if each in beside else "" for each in OF_INSTANCES)
        cpu = number(runs.spread(servers_cpu).median)
        rows.append((str(n), cpu, *ratios, fairness, limit_of(runs, loads)))
    ratios_to_one = (f"{name}, ratio to one without nginx" for name in OF_INSTANCES.values())
    header = ("instances", "CPU of all servers, µs/user", *ratios_to_one, "fairness, least", "what limits it")
    limits = table("What stands in the way", header, rows)
    return [
        *curve("instances", found),
        limits,
        _too_few_cores(max(found), loads),
        *_prediction(found, loads),
    ]


def over_connections(loads: Loads) -> list[Content]:
    """Throughput by the number of connections, for the instances with the most different numbers of them."""
    tried: dict[tuple[int, bool], list[Runs]] = {}
    for each in loads.all:
        tried.setdefault((each.key.instances, each.key.through_nginx), []).append(each)
    found = max((_by(each, "connections") for each in tried.values()), key=len, default={})
    return curve("connections", found) if len(found) > ENOUGH_POINTS else []


def _behind_nginx(loads: Loads) -> list[Runs]:
    """The loads that differ only in the number of instances: through nginx, with the most connections."""
    through = [each for each in loads.closed if each.key.through_nginx] or loads.closed
    most = max((each.key.connections for each in through), default=0)
    return [each for each in through if each.key.connections == most]


def _by(runs: Sequence[Runs], what: str) -> dict[int, Runs]:
    """Closed loads by one number of their key, ascending; of several with the same, the most connections."""
    closed = [each for each in runs if each.key.kind == Kind.CLOSED and each.rate.min > 0]
    closed.sort(key=lambda each: (getattr(each.key, what), each.key.connections))
    return {getattr(each.key, what): each for each in closed}


def _named(instances: int) -> str:
    return "one instance behind nginx carries" if instances == 1 else f"{instances} instances carry"


def _too_few_cores(instances: int, loads: Loads) -> Content:
    """What keeps this machine from showing how the service scales, if anything does."""
    if not 0 < loads.cores < instances + BESIDE_INSTANCES:
        return None
    return element(
        "p",
        f"This machine has {loads.cores} cores for up to {instances + BESIDE_INSTANCES} busy programs: the "
        "instances, PostgreSQL, MongoDB, nginx and the load generator. What bends the curve here is shared "
        "CPU, not coherency between instances. The CPU per user does not depend on the number of cores; what "
        "it allows on larger machines is in the table of predictions.",
    )


def curve(what: str, found: Mapping[int, Runs]) -> list[Content]:
    """Throughput by N, measured and by the law, as a picture and in tables."""
    throughputs = {n: [rate_of(each) for each in runs.measurements] for n, runs in found.items()}
    fit, table_rows = fit_scalability(throughputs), speed_up_table(throughputs)
    first, last = min(throughputs), max(throughputs)
    of_one = table_rows[0].throughput / first
    measured = [(float(n), x) for n, repeats in throughputs.items() for x in repeats]
    highest = max(x for _, x in measured) * FARTHER
    # A straight line that would leave the picture is drawn up to its upper edge.
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
    title, header = f"Throughput by {what}", (what, "users/s", "speed-up", "efficiency")
    picture = plotted(title, (what, linear(last * FARTHER)), ("users per second", linear(highest)), lines)
    return [picture, element("div", table(title, header, rows), _fit_table(fit))]


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


def _prediction(found: Mapping[int, Runs], loads: Loads) -> list[Content]:
    """What more cores would carry, from the CPU that the servers spend on a user."""
    cores = [loads.cores * factor for factor in CORES]
    rows = []
    for n, runs in found.items():
        cost = {name: us for name, us in cpu_by_thread(runs.typical).items() if name in {*SERVERS, *THREADS}}
        if not loads.cores or not any(cost.values()):
            return []
        rows.append((str(n), *(number(predicted_capacity(cost, count, threads_of(n))) for count in cores)))
    caption = "Users/s that the CPU per user allows, at most, with the load generator elsewhere"
    return [table(caption, ("instances", *(f"{count} cores" for count in cores)), rows)]
