"""The solver against the conditions that make a solution the best one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tandem_lab.least_squares import nonnegative_least_squares

NUMBER = st.integers(-9, 9).map(float)
ROWS = st.lists(st.tuples(NUMBER, NUMBER, NUMBER, NUMBER), min_size=3, max_size=8)


def test_an_exact_solution_is_found():
    rows = [(1.0, 0.0, 2.0), (0.0, 1.0, 1.0), (1.0, 1.0, 0.0), (2.0, 0.0, 1.0)]
    targets = [a * 1 + b * 2 + c * 3 for a, b, c in rows]
    assert nonnegative_least_squares(rows, targets) == pytest.approx([1, 2, 3])


def test_a_coefficient_that_would_be_negative_is_zero():
    assert nonnegative_least_squares([(1.0, 0.0), (0.0, 1.0)], [5.0, -5.0]) == pytest.approx([5, 0])


def test_columns_of_very_different_scale_are_solved():
    rows = [(1.0, 1e8), (2.0, 1e8), (3.0, 3e8)]
    targets = [2 * a + 3e-8 * b for a, b in rows]
    assert nonnegative_least_squares(rows, targets) == pytest.approx([2, 3e-8])


def test_columns_that_depend_on_each_other_are_no_obstacle():
    (first, second) = nonnegative_least_squares([(1.0, 2.0), (2.0, 4.0)], [3.0, 6.0])
    assert first + 2 * second == pytest.approx(3)


@given(ROWS)
def test_no_small_step_that_is_allowed_makes_it_better(table):
    """Karush, Kuhn and Tucker: no gradient where a coefficient is free, none that would lower one at zero."""
    rows, targets = [row[:3] for row in table], [row[3] for row in table]
    solution = nonnegative_least_squares(rows, targets)
    left = [
        target - sum(value * times for value, times in zip(row, solution, strict=True))
        for row, target in zip(rows, targets, strict=True)
    ]
    for i, coefficient in enumerate(solution):
        gradient = sum(row[i] * rest for row, rest in zip(rows, left, strict=True))
        assert coefficient >= 0
        assert gradient <= 1e-6
        if coefficient > 1e-9:
            assert abs(gradient) <= 1e-6
