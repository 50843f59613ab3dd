"""What a proof shows while it goes on and at its end, on terminals and elsewhere."""

import io

import msgspec
import pytest
from rich.console import Console

from tandem_lab.cli.board import LINES, ProofDisplay
from tandem_lab.cli.verdict import picture_of, receipt_of, table_of
from tandem_lab.proof.progress import Moment, Stored
from tandem_lab.proof.verdict import Counts, FaultReport, Verdict

OVER = FaultReport("kill-instance", ["instance-2"], 1_203, True, 2.1, most_pending=54)
NEVER = FaultReport("cut-host", ["c0-db1"], 9_999, True, None)
STRIKING = Moment(
    6_420,
    "pause-mongodb: waiting until the flow has recovered",
    fault="pause-mongodb",
    fault_seconds=4.2,
    most_pending=1_213,
    over=[OVER],
    to_come=["kill-postgres"],
    stored=Stored(6_431, None, 1_200),
)
PROVED = Verdict(
    True,
    20_000,
    Counts(20_000, 20_000, 16_700, 20_000, updated=10_000, deleted=3_300),
    [OVER],
    {"TimeoutError": 50, "503": 7, "418": 1},
    61.4,
    "prove-1a2b",
    7,
    "ledger.jsonl",
)


def console(columns: int = 80, *, is_terminal: bool = True) -> Console:
    return Console(file=io.StringIO(), width=columns, force_terminal=is_terminal, color_system=None)


def printed(shown: object, columns: int = 80) -> str:
    there = console(columns)
    there.print(shown)
    return there.file.getvalue()


def test_the_board_says_what_strikes_who_is_in_danger_and_what_has_recovered():
    display = ProofDisplay(console(), 20_000)
    display(STRIKING)
    board = printed(display.board())
    assert "6,420 of 20,000 acknowledged" in board
    assert "in PostgreSQL 6,431   in MongoDB does not answer   in danger (pending) 1,200" in board
    lines = {line.split()[1]: " ".join(line.split()[2:]) for line in board.splitlines()[-3:]}
    assert lines["kill-instance"] == "instance-2 recovered after 2.1 s, 54 in danger"
    assert lines["pause-mongodb"].startswith("since ")
    assert lines["pause-mongodb"].endswith("for 4.2 s, 1,213 in danger")
    assert lines["kill-postgres"] == "to come"


def test_where_there_is_no_terminal_a_line_is_printed_when_something_has_changed():
    there = console(is_terminal=False)
    display = ProofDisplay(there, 100)
    with display:
        for acknowledged in range(101):
            display(Moment(acknowledged, "pushing users"))
        display(Moment(100, "comparing"))
    lines = there.file.getvalue().splitlines()
    assert len(lines) == LINES + 2
    assert lines[-1] == "      100 acknowledged; comparing"


@pytest.mark.parametrize("columns", [60, 80, 120])
def test_the_receipt_has_all_that_somebody_who_sees_only_this_wants_to_know(columns):
    receipt = printed(receipt_of(PROVED), columns)
    assert max(map(len, receipt.splitlines())) == columns
    text = " ".join(receipt.replace("│", " ").split())
    assert "20,000 users acknowledged, 10,000 updates, 3,300 deleted" in text
    for said in ("Proved", "0 lost", "exit code 0"):
        assert said in text
    for said in ("recovered after 2.1 s, 54", "61 s", "--seed prove-1a2b --random-seed 7", "cores", "UTC"):
        assert said in text


def test_a_receipt_of_what_failed_says_what_and_why():
    counts = msgspec.structs.replace(PROVED.counts, lost=2, examples={"lost": [17, 18]})
    failed = msgspec.structs.replace(
        PROVED, proven=False, counts=counts, faults=[NEVER], reasons=["[red]a primary was lost"]
    )
    receipt = printed(receipt_of(failed))
    for said in ("Not proved", "2 lost", "lost, for example: 17, 18", "never recovered", "exit code 1"):
        assert said in receipt
    assert "Why: [red]a primary was lost" in receipt


def test_why_commands_were_sent_again_is_said_in_words():
    said = " ".join(printed(table_of(PROVED), 200).split())
    assert "50 times: no answer within 5 s; 7 times: not just now (503); once: 418." in said
    assert "TimeoutError" not in said


def test_the_picture_of_a_receipt_fetches_nothing():
    picture = picture_of(PROVED)
    assert "20,000" in picture
    assert picture.startswith("<svg")
    assert "url(http" not in picture
