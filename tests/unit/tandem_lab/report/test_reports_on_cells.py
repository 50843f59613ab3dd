"""What a report on cells says, and what a plan takes from a report."""

import msgspec
import pytest

from reports import closed, over_cells, quiet
from tandem_lab.capacity import Machine, plan
from tandem_lab.errors import LabError
from tandem_lab.report.costs import costs_of
from tandem_lab.report.page import page_of


def test_the_curve_over_cells_stands_beside_the_law_and_the_prediction():
    html = page_of(over_cells({1: [600.0, 610.0], 2: [1200.0, 1210.0], 3: [1800.0, 1790.0], 4: [2200.0]}))
    assert "How it grows with cells" in html
    assert "Universal Scalability Law, with 95% intervals" in html
    assert "From 1 and 2 cells the law predicts" in html
    assert "How it grows with instances" not in html


def test_a_report_without_cells_says_nothing_of_them():
    assert "How it grows with cells" not in page_of(quiet(*closed([900.0])))


def test_what_a_user_costs_is_taken_from_the_most_cells_with_the_error_of_the_prediction():
    costs = costs_of(over_cells({1: [600.0], 2: [1200.0], 4: [2000.0, 2000.0]}))
    assert costs.stored_bytes == {"postgres": 4000.0, "mongodb": 1000.0}
    assert costs.event_loop_us == 60.0
    assert costs.error == pytest.approx(0.2)
    assert "4 cells" in costs.error_is
    assert plan(costs, Machine(cores=1, busy=1.0), 20_000, 1).cells == 2


def test_of_one_cell_the_spread_of_the_cpu_is_the_error():
    rounds = over_cells({1: [600.0, 610.0]}).measurements
    cheaper = msgspec.structs.replace(
        rounds[1], cpu_us_per_user={"instances": 80.0, "postgres": 60.0, "mongodb": 20.0}
    )
    costs = costs_of(quiet(rounds[0], cheaper))
    assert costs.error == pytest.approx(60 / 2 / 190)


def test_a_report_that_does_not_know_what_a_user_takes_is_no_ground_for_a_plan():
    for report in (quiet(*closed([900.0])), quiet()):
        with pytest.raises(LabError, match="Measure again"):
            costs_of(report)
