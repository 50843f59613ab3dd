"""Least squares with coefficients that are not negative, for a handful of columns."""

from collections.abc import Sequence
from itertools import combinations
from math import fsum, sqrt

Row = Sequence[float]
# A column whose remaining part is shorter than this share counts as a combination of the others.
_DEPENDENT = 1e-12


def nonnegative_least_squares(rows: Sequence[Row], targets: Sequence[float]) -> list[float]:
    """The coefficients >= 0, one for each column, that make the sum of (row . coefficients - target)^2 least.

    The best solution is the ordinary solution for some set of columns, with zero for the others. All 2^k sets
    of k columns are tried. For 3 columns that is faster and simpler than an active-set method, and as exact.
    Columns may differ in scale by many orders of magnitude.
    """
    columns = list(zip(*rows, strict=True))
    lengths = [sqrt(_dot(column, column)) or 1.0 for column in columns]
    unit = [[value / length for value in column] for column, length in zip(columns, lengths, strict=True)]
    gram = [[_dot(left, right) for right in unit] for left in unit]
    onto = [_dot(column, targets) for column in unit]
    best, best_gain = [0.0] * len(columns), 0.0
    # Larger sets first: where a coefficient is so small that rounding hides its gain, it is kept.
    sizes = range(len(columns), 0, -1)
    for chosen in (chosen for size in sizes for chosen in combinations(range(len(columns)), size)):
        solution = _solve([[gram[i][j] for j in chosen] for i in chosen], [onto[i] for i in chosen])
        if solution is None or min(solution) < 0:
            continue
        gain = fsum(onto[i] * value for i, value in zip(chosen, solution, strict=True))
        if gain > best_gain:
            best, best_gain = [0.0] * len(columns), gain
            for i, value in zip(chosen, solution, strict=True):
                best[i] = value / lengths[i]
    return best


def _solve(matrix: Sequence[Row], vector: Row) -> list[float] | None:
    """The solution of a symmetric positive definite system by elimination, or None if it is singular."""
    rows = [[*row, value] for row, value in zip(matrix, vector, strict=True)]
    for i, pivot in enumerate(rows):
        if pivot[i] < _DEPENDENT:
            return None
        for below in rows[i + 1 :]:
            factor = below[i] / pivot[i]
            below[i:] = [value - factor * above for value, above in zip(below[i:], pivot[i:], strict=True)]
    solution = [0.0] * len(rows)
    for i in range(len(rows) - 1, -1, -1):
        known = sum(rows[i][j] * solution[j] for j in range(i + 1, len(rows)))
        solution[i] = (rows[i][-1] - known) / rows[i][i]
    return solution


def _dot(left: Row, right: Row) -> float:
    return sum(a * b for a, b in zip(left, right, strict=True))
