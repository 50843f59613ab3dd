"""How throughput grows with cells: the curve beside the law, and what the fewest say of the most."""

from tandem_lab.report.costs import over_cells, prediction_of
from tandem_lab.report.format import number, spread
from tandem_lab.report.markup import Content, element, table
from tandem_lab.report.metrics import servers_cpu
from tandem_lab.report.runs import Loads
from tandem_lab.report.scaling import curve

ENOUGH_POINTS = 2


def sentences(loads: Loads) -> list[Content]:
    """The answer of a report on cells, for a reader who reads nothing else."""
    found = over_cells(loads)
    if len(found) < ENOUGH_POINTS:
        return []
    first, last = min(found), max(found)
    least, most = found[first].rate.median, found[last].rate.median
    share = loads.report.environment.get("cpu_per_cell")
    carries = f"{first} cell carries " if first == 1 else f"{first} cells carry "
    return [
        element(
            "p",
            f"With {share} cores for each cell, {carries}",
            element("strong", f"{number(least)} users a second"),
            f" all the way, and {last} carry ",
            element("strong", number(most)),
            f": {number(last / first)} times as many cells, {number(most / least)} times as many users.",
        ),
        element("p", sentence) if (sentence := predicted(loads)) else None,
    ]


def predicted(loads: Loads) -> str:
    """The prediction beside what was measured, in a sentence; empty if there is none."""
    found = prediction_of(loads)
    if found is None:
        return ""
    fewest = " and ".join(map(str, found.from_cells))
    return (
        f"From {fewest} cells the law predicts {number(found.predicted)} users/s for {found.cells}, and "
        f"{number(found.measured)} were measured: an error of {found.error:.1%}."
    )


def by_cells(loads: Loads) -> list[Content]:
    """Throughput by the number of cells, and what a user costs over each number."""
    found = over_cells(loads)
    if len(found) < ENOUGH_POINTS:
        return []
    rows = [
        (
            str(n),
            spread(runs.rate),
            number(runs.rate.median / n),
            spread(runs.spread(servers_cpu)),
            f"{runs.fairness:.3f}" if runs.fairness is not None else "",
        )
        for n, runs in found.items()
    ]
    header = ("cells", "users/s", "of each cell", "CPU of all servers, µs/user", "fairness, least")
    return [*curve("cells", found), table("What each cell carries, and what a user costs", header, rows)]
