"""Tables of the command line at every width: columns go, digits stay."""

import io
import re
from datetime import UTC, datetime

import msgspec
import pytest
from rich.console import Console

from reports import closed, quiet, sample
from tandem.cli.dead_letters import table_of as dead_letters_table
from tandem.cli.stats import table_of as stats_table
from tandem.cli.tables import Column, FittedTable
from tandem.runs.statistics import LagMilliseconds, RunStatistics
from tandem.user_command.dead_letters import DeadLetter
from tandem_lab.cli.bench import table_of as bench_table
from tandem_lab.cli.common import finish
from tandem_lab.cli.compare import table_of as compare_table
from tandem_lab.cli.prove import table_of as proof_table
from tandem_lab.cli.scale import table_of as scale_table
from tandem_lab.proof.verdict import Counts, FaultReport, Verdict
from tandem_lab.report.compare import compare_reports

WIDTHS = (60, 80, 100)
WIDE = 400
NOW = datetime(2026, 1, 1, tzinfo=UTC)
PAGE_SEED = "vivid-dolphin-878"
LONG_SEED = "a-seed-of-a-hundred-characters-" + "x" * 69
MARKUP_SEED = "[red]no-markup[/]"


def printed(table: object, width: int) -> list[str]:
    """The lines that a terminal of this width gets."""
    output = io.StringIO()
    Console(file=output, width=width).print(table)
    return [line.rstrip() for line in output.getvalue().splitlines()]


def numbers_in(lines: list[str]) -> set[str]:
    """All that stands there as a number of two digits or more."""
    return set(re.findall(r"(?<![\w.,-])\d[\d,.]+(?![\w-])", "\n".join(lines)))


def statistics(seed: str) -> FittedTable:
    """A run with numbers of eleven characters."""
    run = RunStatistics(
        seed=seed,
        app_id="instance-1",
        total=123_456_789,
        updated=0,
        deleted=0,
        synchronized=120_000_001,
        pending=3_456_788,
        dead_letters=0,
        taken_over=1_234_567,
        first_created_at=NOW,
        last_created_at=NOW,
        duration_seconds=86_400.0,
        users_per_second=15_898.4,
        lag_ms=LagMilliseconds(p50=135_791.3, p95=246_813.5, p99=987_654.3),
    )
    return stats_table([run])


def dead_letters() -> FittedTable:
    """One with the longest id, and a reason that looks like markup."""
    letter = DeadLetter(
        id=2**53 - 1, seed=PAGE_SEED, version=1, error="[/] refused " * 20, app_id="x", created_at=NOW
    )
    return dead_letters_table([letter])


def proof() -> object:
    """A verdict of millions of users."""
    users = 9_876_543
    fault = FaultReport("freeze-instance", ["instance-1", "instance-2"], 9_123_456, True, 1234.5)
    counts = Counts(users, users, users, users)
    return proof_table(Verdict(True, users, counts, [fault], {}, 100.0, PAGE_SEED, 1, "ledger.jsonl"))


def reports() -> list[object]:
    """The tables of the lab, of loads far faster than any measured."""
    rounds = closed([1_234_567.0, 1_345_678.0, 1_456_789.0])
    changes = compare_reports(quiet(*rounds), quiet(*closed([2_345_678.0] * 3))).changes
    return [
        bench_table(quiet(*rounds)),
        bench_table(sample()),
        scale_table(quiet(*rounds)),
        compare_table(changes),
    ]


TABLES = {
    "stats": statistics(PAGE_SEED),
    "stats of a long seed": statistics(LONG_SEED),
    "dead letters": dead_letters(),
    "prove": proof(),
    **dict(zip(("bench", "bench of a sample", "scale", "compare"), reports(), strict=True)),
}


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", TABLES)
def test_no_table_cuts_a_number_at_any_width(name, width):
    lines = printed(TABLES[name], width)
    assert max(map(len, lines)) <= width
    found, whole = numbers_in(lines), numbers_in(printed(TABLES[name], WIDE))
    assert found
    assert found <= whole
    left_out = [line for line in lines if line.startswith("No room for: ")]
    assert found == whole or left_out
    assert "…" not in "".join(lines)


@pytest.mark.parametrize("width", WIDTHS)
def test_the_pages_own_seeds_stay_whole_in_the_statistics(width):
    assert printed(statistics(PAGE_SEED), width)[1].startswith(f"{PAGE_SEED} ")
    lines = printed(statistics(LONG_SEED), width)
    end = next((at for at, line in enumerate(lines) if line.startswith("No room")), len(lines))
    assert "".join(line.split(" ")[0] for line in lines[1:end]) == LONG_SEED


def test_a_seed_or_an_error_that_looks_like_markup_is_shown_as_it_is():
    assert MARKUP_SEED in printed(statistics(MARKUP_SEED), WIDE)[1]
    assert "[/] refused" in printed(dead_letters(), WIDE)[1]


def test_wide_windows_show_all_and_zeros_go_first():
    lines = printed(statistics(PAGE_SEED), WIDE)
    assert "dead" in lines[0]
    assert not any("No room" in line for line in lines)
    table = FittedTable(Column("kept"), Column("zeros", spare=1), Column("spare", spare=2))
    table.add_row("1" * 20, "0", "2" * 9)
    lines = printed(table, 32)
    assert lines[1] == f"{'1' * 20} {'2' * 9}"
    assert any(line.startswith("No room for: zeros.") for line in lines)


def test_a_number_that_is_wider_than_the_window_keeps_its_digits():
    table = FittedTable(Column("kept"), Column("spare", spare=1))
    table.add_row("1234567890123456", "5")
    assert "".join(line.strip() for line in printed(table, 10)).startswith("kept1234567890123456")


def test_what_makes_numbers_doubtful_stands_below_their_table(tmp_path, capsys):
    finish(sample(), "the table", tmp_path / "report.json", [])
    assert "Mind: Other programs kept 1.99 cores busy" in capsys.readouterr().out


def test_the_event_loops_cpu_stands_beside_that_of_its_instance():
    measured = [msgspec.structs.replace(each, event_loop_us_per_user=61.7) for each in closed([1000.0])]
    for table in (bench_table, scale_table):
        assert "loop" in "\n".join(printed(table(quiet(*measured)), WIDE))
        assert re.search(r"\b6[12](\.7)?\b", "\n".join(printed(table(quiet(*measured)), WIDE)))
