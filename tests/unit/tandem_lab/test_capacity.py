"""What a plan says of costs that are known, and what two numbers of cells say of more."""

import msgspec
import pytest

from tandem_lab.capacity import Costs, Machine, plan, plan_cell, predict
from tandem_lab.report.costs import DOCUMENTED

COSTS = Costs(
    cpu_us={"instances": 100.0, "postgres": 60.0, "mongodb": 40.0, "haproxy": 20.0},
    event_loop_us=50.0,
    logged_bytes={"postgres": 3000.0, "mongodb": 500.0},
    stored_bytes={"postgres": 4000.0, "mongodb": 1000.0},
    error=0.2,
    error_is="an example",
    source="an example",
)
MACHINE = Machine(cores=4, storage_bytes=1e12, busy=0.5)


def test_a_cell_carries_what_the_cores_of_its_databases_allow_and_holds_what_its_disk_does():
    cell = plan_cell(COSTS, MACHINE)
    assert cell.users_per_second == pytest.approx(0.5 * 4 / 100e-6)
    assert cell.users == pytest.approx(1e12 / 5000)
    assert cell.written_bytes_per_second == pytest.approx(20_000 * 8_500)


def test_instances_are_as_busy_as_all_else():
    """20,000 users/s are 1 s of event loops and 2 s of CPU each second; at half, twice as many."""
    cell = plan_cell(COSTS, MACHINE)
    assert (cell.instances, cell.instance_hosts) == (2, 1)


@pytest.mark.parametrize(
    ("rate", "users", "cells", "because_of_storage"),
    [(0, 0, 1, False), (19_999, 1e8, 1, False), (20_001, 1e8, 2, False), (20_000, 2.1e8, 2, True)],
)
def test_a_load_needs_cells_for_its_rate_or_for_its_storage(rate, users, cells, because_of_storage):
    found = plan(COSTS, MACHINE, rate, users)
    assert (found.cells, found.is_storage_bound) == (cells, because_of_storage)


def test_the_error_of_a_rate_is_one_of_the_cells_where_the_rate_decides():
    found = plan(COSTS, MACHINE, 1_000_000, 1e9)
    assert (found.least, found.cells, found.most) == (42, 50, 63)
    stored = plan(COSTS, MACHINE, 1_000, 1e10)
    assert (stored.least, stored.cells, stored.most) == (50, 50, 50)


def test_what_all_cells_need_together_follows_from_the_load():
    found = plan(COSTS, MACHINE, 1_000_000, 1e10)
    assert found.stored_bytes == pytest.approx(5e13)
    assert found.balancer_cores == pytest.approx(40)


@pytest.mark.parametrize("missing", ["cpu_us", "stored_bytes", "event_loop_us"])
def test_without_a_cost_there_is_no_plan(missing):
    nothing = 0.0 if missing == "event_loop_us" else {"postgres": 5.0}
    with pytest.raises(ValueError, match="needs the CPU and the stored bytes"):
        plan(msgspec.structs.replace(COSTS, **{missing: nothing}), MACHINE, 1, 1)


def test_the_documented_figures_are_enough_to_plan_by():
    assert plan(DOCUMENTED, Machine(), 1e6, 1e11).cells > 1


def test_cells_that_share_nothing_are_predicted_to_carry_as_many_times_as_much():
    found = predict({1: [600.0, 610.0], 2: [1200.0, 1220.0], 3: [1815.0], 4: [2420.0, 2420.0]})
    assert (found.cells, found.from_cells) == (4, (1, 2))
    assert found.predicted == pytest.approx(2420, rel=0.01)
    assert found.error < 0.01


def test_what_two_cells_lose_to_each_other_is_predicted_of_more():
    """Amdahl's law with a tenth that only one can do at a time."""
    found = predict({n: [1000 * n / (1 + 0.1 * (n - 1))] for n in (1, 2, 4)})
    assert found.curve.sigma == pytest.approx(0.1)
    assert found.error == pytest.approx(0, abs=1e-9)


def test_noise_above_a_straight_line_is_taken_for_one():
    """First trials of four cells: 604, 1,233, 1,835 and 2,594 users/s."""
    found = predict({1: [604.0], 2: [1233.0], 3: [1835.0], 4: [2594.0]})
    assert found.curve.sigma == 0
    assert found.error < 0.15


def test_two_numbers_of_cells_predict_nothing_that_was_measured():
    assert predict({1: [600.0], 2: [1200.0]}) is None
    assert predict({}) is None
