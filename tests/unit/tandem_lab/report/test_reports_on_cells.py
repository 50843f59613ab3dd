"""What a report on cells says, and what a plan takes from a report."""

import msgspec
import pytest

from places import DATA
from reports import closed, over_cells, quiet
from tandem_lab.bench.results import Report
from tandem_lab.capacity import Machine, plan
from tandem_lab.errors import LabError
from tandem_lab.report.costs import costs_of, prediction_of
from tandem_lab.report.costs import over_cells as over_cells_of
from tandem_lab.report.page import page_of
from tandem_lab.report.runs import Loads
from tandem_lab.saturation import predicted_capacity


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


def test_of_a_real_report_four_cells_carry_what_one_and_two_predict_and_what_their_cpu_allows():
    """`tandem scale --cells 1,2,4` of 27 November 2026, in two rounds, with a quarter of a core a cell."""
    report = msgspec.json.decode((DATA / "cells_report.json").read_bytes(), type=Report)
    loads = Loads(report)
    found = prediction_of(loads)
    assert (found.cells, found.from_cells) == (4, (1, 2))
    assert found.error < 0.15
    of_one = over_cells_of(loads)[1].typical.cpu_us_per_user
    cpu = {name: of_one[name] for name in ("instances", "postgres", "mongodb")}
    assert predicted_capacity(cpu, cores=1, threads={}) == pytest.approx(found.measured, rel=0.15)
    assert plan(costs_of(report), Machine(), 10_000, 1e9).is_storage_bound
