"""`tandem plan`: what it says, of which figures, and what it refuses."""

import json

import msgspec
import pytest

from command_line import finished
from reports import closed, over_cells, quiet

LOAD = ("--users-per-second", "1000000", "--users", "1e11")


def test_by_the_documented_figures_it_says_how_many_cells_and_why():
    ended = finished("plan", *LOAD)
    assert ended.returncode == 0, ended.stderr
    said = " ".join(ended.stdout.split())
    assert "1,000,000 users/s and 100,000,000,000 users need" in said
    assert "because of the storage" in said
    assert "a directory of addresses" in said


def test_larger_hosts_need_fewer_cells(tmp_path):
    found = [
        json.loads(finished("plan", *LOAD, "--json", "--storage", size).stdout)["cells"]
        for size in ("800GB", "1.5TB", "1PB")
    ]
    assert found == sorted(found, reverse=True)
    assert found[0] > found[1] > found[2]


def test_a_report_is_planned_by(tmp_path):
    file = tmp_path / "report.json"
    file.write_bytes(msgspec.json.encode(over_cells({1: [600.0], 2: [1200.0], 4: [2000.0]})))
    ended = finished("plan", "--from", file, "--users-per-second", "100", "--users", "1000", "--cores", "2")
    said = " ".join(ended.stdout.split())
    assert "need one cell, because of the rate" in said
    assert "The error of a rate is 20%: how far the prediction for 4 cells was off." in said


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        ((*LOAD, "--storage", "much"), 2, "is no size like 800GB"),
        (("--users", "1e9"), 2, "--users-per-second"),
        ((*LOAD, "--busy", "0"), 2, "--busy"),
        ((*LOAD, "--from", "nowhere.json"), 1, "cannot be read"),
        ((*LOAD, "--storage", "1GB"), 0, "ids name 10,000 cells at most"),
    ],
    ids=str,
)
def test_what_cannot_be_planned_is_said_in_a_sentence(options, code, said):
    ended = finished("plan", *options)
    assert ended.returncode == code
    assert "Traceback" not in ended.stderr
    assert said in " ".join((ended.stdout + ended.stderr).split())


def test_a_report_without_sizes_is_refused(tmp_path):
    file = tmp_path / "old.json"
    file.write_bytes(msgspec.json.encode(quiet(*closed([900.0]))))
    ended = finished("plan", *LOAD, "--from", file)
    assert (ended.returncode, "Measure again" in ended.stderr) == (1, True)
