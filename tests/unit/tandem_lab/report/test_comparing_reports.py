"""`tandem compare` on reports whose differences are known."""

import json

import msgspec
import pytest
from click.testing import CliRunner

from reports import SAMPLE, baseline, closed, quiet, sample
from tandem.cli import main
from tandem_lab.report.compare import compare_reports

STEADY = (1000.0, 1010.0, 990.0, 1005.0, 995.0)
SLOWER = tuple(rate * 0.8 for rate in STEADY)


def judgements(a, b):
    return {(change.load, change.metric): change.judgement for change in compare_reports(a, b).changes}


@pytest.fixture
def compare(tmp_path):
    """Runs the command on two reports."""

    def run(a, b, *options):
        for name, report in (("a.json", a), ("b.json", b)):
            (tmp_path / name).write_bytes(msgspec.json.encode(report))
        arguments = ["compare", str(tmp_path / "a.json"), str(tmp_path / "b.json"), *options]
        return CliRunner().invoke(main, arguments, env={"COLUMNS": "100"})

    return run


def test_equal_reports_differ_in_nothing_beyond_noise():
    report = quiet(*closed(STEADY), *baseline("frozen floor", STEADY))
    assert set(judgements(report, report).values()) == {"within noise"}


def test_the_event_loops_cpu_is_compared_too():
    few, many = (
        quiet(*(msgspec.structs.replace(each, event_loop_us_per_user=us) for each in closed(STEADY)))
        for us in (40.0, 60.0)
    )
    assert judgements(few, many)["closed, 200 connections", "CPU: event loop"] == "worse"


def test_a_lower_rate_is_worse_and_a_higher_one_better():
    fast, slow = quiet(*closed(STEADY)), quiet(*closed(SLOWER))
    key = ("closed, 200 connections", "synchronized")
    assert judgements(fast, slow)[key] == "worse"
    assert judgements(slow, fast)[key] == "better"


def test_more_cpu_per_user_is_worse():
    cheap, dear = quiet(*closed(STEADY, cpu_us=100)), quiet(*closed(STEADY, cpu_us=120))
    assert judgements(cheap, dear)["closed, 200 connections", "CPU: instances"] == "worse"
    assert judgements(cheap, dear)["closed, 200 connections", "CPU: PostgreSQL"] == "within noise"


def test_two_rounds_are_too_few_to_tell():
    few, slow = quiet(*closed(STEADY[:2])), quiet(*closed(SLOWER[:2]))
    assert set(judgements(few, slow).values()) == {"too few rounds"}


def test_a_slower_baseline_is_no_regression_but_a_warning():
    a = quiet(*closed(STEADY), *baseline("frozen floor", STEADY))
    b = quiet(*closed(STEADY), *baseline("frozen floor", SLOWER))
    differences = compare_reports(a, b)
    assert differences.regressions == []
    assert [warning for warning in differences.warnings if "the machine changed" in warning]


def test_the_ratio_to_a_baseline_holds_where_both_slowed_down():
    a = quiet(*closed(STEADY), *baseline("frozen floor", STEADY))
    b = quiet(*closed(SLOWER), *baseline("frozen floor", SLOWER))
    assert judgements(a, b)["beside the baselines", "ratio to “frozen floor”"] == "within noise"


def test_open_loads_are_matched_by_their_share_of_the_saturation():
    report = sample()
    faster = [
        msgspec.structs.replace(
            each,
            per_second={stage: 2 * rate for stage, rate in each.per_second.items()},
            rate_due=2 * each.rate_due if each.rate_due else None,
        )
        for each in report.measurements
    ]
    differences = compare_reports(report, msgspec.structs.replace(report, measurements=faster))
    assert differences.only_in_a == differences.only_in_b == []
    assert "open, 50% of saturation" in {change.load for change in differences.changes}


def test_loads_that_only_one_report_has_are_named():
    both, one = closed(STEADY), closed(STEADY, instances=3)
    assert compare_reports(quiet(*both, *one), quiet(*both)).only_in_a == [
        "closed, 200 connections, 3 instances"
    ]


def test_other_surroundings_are_warned_of():
    changed = quiet(*closed(STEADY), machine={"processor": "another", "cores": 64}, python="3.99")
    warnings = " ".join(compare_reports(quiet(*closed(STEADY)), changed).warnings)
    assert "machine.processor differs" in warnings
    assert "64 in B" in warnings
    assert "python differs: 3.11.7 in A, 3.99 in B" in warnings


def test_a_busy_machine_is_warned_of():
    (warning,) = compare_reports(sample(), sample()).warnings[:1]
    assert "1.99 cores busy when A was measured" in warning


def test_the_table_names_what_got_worse(compare):
    result = compare(quiet(*closed(STEADY)), quiet(*closed(SLOWER)))
    assert result.exit_code == 0
    (line,) = [line for line in result.output.splitlines() if "synchronized" in line]
    assert line.split()[2:5] == ["1,000", "800", "0.800"]
    assert line.rstrip().endswith("worse")
    assert "0 got better and 1 worse" in result.output


def test_the_json_holds_every_comparison(compare):
    found = json.loads(compare(quiet(*closed(STEADY)), quiet(*closed(SLOWER)), "--json").output)
    (rate,) = [change for change in found["changes"] if change["metric"] == "synchronized"]
    assert rate["judgement"] == "worse"
    assert rate["comparison"]["ratio"] == pytest.approx(0.8)
    assert (rate["a"]["median"], rate["a"]["repeats"]) == (1000, 5)


def test_a_regression_fails_only_if_asked_for(compare):
    fast, slow = quiet(*closed(STEADY)), quiet(*closed(SLOWER))
    assert compare(fast, slow).exit_code == 0
    assert compare(fast, slow, "--fail-on-regression").exit_code == 1
    assert compare(slow, fast, "--fail-on-regression").exit_code == 0


def test_reports_without_a_common_load_are_said_to_have_none(compare):
    """And it is said how each was made, so that both can be made alike."""
    a, b = (
        msgspec.structs.replace(
            quiet(*closed(STEADY, instances=number)), command=["x/tandem", "bench", *options]
        )
        for number, options in ((1, ()), (2, ("--instances", "2")))
    )
    result = compare(a, b)
    assert result.exit_code == 0
    assert "no load in common" in result.output
    assert "A was made by `tandem bench`, B by `tandem bench --instances 2`" in result.output


def test_what_was_measured_too_seldom_is_said_with_the_command_that_measures_it_again(compare):
    few, many = (
        msgspec.structs.replace(quiet(*closed(rates)), command=["x/tandem", "bench", *options])
        for rates, options in ((STEADY[:2], ("--quick", "--rounds", "2", "--json", "a b.json")), (STEADY, ()))
    )
    said = compare(few, many).output
    assert "A has 2, and it takes 3" in said
    assert "Measure again, A: `tandem bench --quick --json 'a b.json' --rounds 5`." in said
    assert "B has" not in said
    assert "Missing" not in compare(many, many).output


def test_hostile_text_in_a_report_is_printed_as_it_is(compare):
    hostile = quiet(*closed(STEADY), machine={"processor": "[red]x[/nope]", "cores": 64})
    result = compare(quiet(*closed(STEADY)), hostile)
    assert result.exit_code == 0
    assert "[red]x[/nope]" in result.output


def test_a_load_of_a_kind_that_nobody_knows_is_no_report(compare):
    result = compare(quiet(*baseline("[red]x[/nope]", STEADY)), quiet(*closed(STEADY)))
    assert result.exit_code == 1
    assert "is no report" in result.output


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (None, "cannot be read: No such file"),
        (b"", "is no report"),
        (b"\xff\xfe", "is no report"),
        (b'{"kind": "bench"}', "is no report"),
        (b"[" * 100_000, "is no report"),
    ],
)
def test_a_file_that_is_no_report_gives_one_sentence(tmp_path, content, sentence):
    path = tmp_path / "other.json"
    if content is not None:
        path.write_bytes(content)
    result = CliRunner().invoke(main, ["compare", str(SAMPLE), str(path)])
    assert result.exit_code == 1
    assert sentence in result.output
    assert len(result.output.splitlines()) == 1


def test_a_folder_gives_one_sentence(tmp_path):
    result = CliRunner().invoke(main, ["compare", str(SAMPLE), str(tmp_path)])
    assert (result.exit_code, len(result.output.splitlines())) == (1, 1)
