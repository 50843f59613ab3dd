"""`tandem scale`: stacks of its own, the same users at every number of instances."""

import subprocess
from pathlib import Path

import msgspec
import pytest

from command_line import TANDEM, finished
from tandem_lab.bench.cells import CellsPlan, ScaleCells
from tandem_lab.bench.results import Report
from tandem_lab.bench.scale import Scale, ScalePlan
from tandem_lab.report.analysis import OF_INSTANCES, beside_one
from tandem_lab.report.runs import Loads


def test_every_second_round_goes_from_the_most_instances_down():
    plan = ScalePlan(rounds=2, instances=(1, 2), connections=8)
    assert [step.what for step in Scale(Path("none"), plan).steps()] == [
        "round 1 of 2: 1 behind nginx, 8 connections",
        "round 1 of 2: 2 behind nginx, 8 connections",
        "round 1 of 2: one without nginx",
        "round 2 of 2: one without nginx",
        "round 2 of 2: 2 behind nginx, 8 connections",
        "round 2 of 2: 1 behind nginx, 8 connections",
    ]


@pytest.mark.slow
def test_every_number_of_instances_gets_the_same_load_on_a_stack_of_its_own(new_place):
    file = new_place() / "scale.json"
    options = ("--rounds", "1", "--seconds", "1", "--connections", "8", "--connections-of-one", "2,8")
    ended = finished(
        "scale",
        "--quick",
        "--data-dir",
        file.with_name("none"),
        "--instances",
        "1,2",
        *options,
        "--json",
        file,
    )
    assert ended.returncode == 0, ended.stderr
    assert "CPU of a user, to one" in ended.stdout
    report = msgspec.json.decode(file.read_bytes(), type=Report)
    found = [(each.instances, each.through_nginx, each.connections) for each in report.measurements]
    assert found == [(1, True, 8), (2, True, 8), (1, False, 8), (1, False, 2)]
    assert [len(each.users_of_instances) for each in report.measurements] == [1, 2, 1, 1]
    assert [set(beside_one(count, Loads(report))) for count in (1, 2)] == [set(OF_INSTANCES)] * 2
    assert "one instance behind nginx carries" in file.with_suffix(".html").read_text()
    assert {path.name for path in file.parent.iterdir()} == {"scale.json", "scale.html"}


def test_a_list_of_instances_that_is_none_says_so(tmp_path):
    ended = finished("scale", "--data-dir", tmp_path / "none", "--instances", "1,x")
    assert ended.returncode == 2
    assert "is no list of numbers" in " ".join(ended.stderr.split())


def test_of_cells_every_second_round_goes_from_the_most_down():
    plan = CellsPlan(rounds=2, cells=(1, 2), connections_per_cell=8)
    assert [step.what for step in ScaleCells(Path("none"), plan).steps()] == [
        f"round {round_} of 2: {count}, each with 0.25 cores and 8 connections"
        for round_, counts in ((1, ("1 cell", "2 cells")), (2, ("2 cells", "1 cell")))
        for count in counts
    ]


@pytest.mark.parametrize(
    "options", [("--cells", "1,2", "--instances", "3"), ("--cpu-per-cell", "0.5")], ids=" ".join
)
def test_options_of_instances_and_of_cells_are_not_mixed(options, tmp_path):
    ended = finished("scale", "--data-dir", tmp_path / "none", *options)
    assert ended.returncode == 2
    assert "--cells" in " ".join(ended.stderr.split())


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_every_number_of_cells_gets_as_much_load_a_cell_and_a_plan_follows(new_place, require_program):
    require_program("haproxy", "haproxy")
    file = new_place() / "cells.json"
    options = ("--rounds", "1", "--seconds", "1", "--connections", "8", "--json", file)
    ended = subprocess.run(
        [*TANDEM, "scale", "--data-dir", file.with_name("none"), "--cells", "1,2,3", *options],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    assert "From 1 and 2 cells the law predicts" in ended.stdout
    report = msgspec.json.decode(file.read_bytes(), type=Report)
    assert [(each.cells, each.connections) for each in report.measurements] == [(1, 8), (2, 16), (3, 24)]
    assert [len(each.users_of_instances) for each in report.measurements] == [1, 2, 3]
    assert "How it grows with cells" in file.with_suffix(".html").read_text()
    assert {path.name for path in file.parent.iterdir()} == {"cells.json", "cells.html"}
    planned = finished("plan", "--from", file, "--users-per-second", "1e6", "--users", "1e9")
    assert planned.returncode == 0, planned.stderr
    assert "1,000,000 users/s and 1,000,000,000 users need" in planned.stdout
