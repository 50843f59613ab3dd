"""The verdict in a sentence, and as a file with its charts."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace

from tandem.runs.happenings import Happening
from tandem.runs.observed import Words
from tandem.runs.verdict import Acknowledged, Comparison, Named, Verdict, is_good, sentence_of
from tandem.runs.verdict_html import page_of

AT = datetime(2026, 1, 1, tzinfo=UTC)
GOOD = Verdict(
    seed="run",
    aggregate="user",
    made_at=AT,
    state="done",
    sentence="as it was",
    is_good=True,
    started_at=AT,
    ended_at=AT + timedelta(seconds=96),
    seconds=96.0,
    users_per_second=208.3,
    acknowledged=Acknowledged(20_000),
    counted_by="server",
    created=20_000,
    updated=0,
    deleted=0,
    synchronized=20_000,
    pending=0,
    dead_letters=0,
    in_postgresql=20_000,
    in_mongodb=20_000,
    lost=0,
    doubled=0,
    doubled_of=20_000,
    compared=Comparison(checked=20_000, equal=20_000, documents=20_000),
    rescued=142,
    longest_rescue_seconds=5.24,
    lag_ms=None,
    longest_lag_seconds=5.24,
    deaths=1,
    instances=["instance-1"],
    happenings=[],
    history=[],
)


def sentence(**changes) -> str:
    return sentence_of(replace(GOOD, **changes), Words())


def test_a_run_that_went_well_in_a_sentence():
    assert is_good(GOOD)
    assert sentence() == (
        "20,000 users in 96 s; one death survived, 142 users rescued within 5.2 s; "
        "0 lost, 0 doubled; both stores equal"
    )


@pytest.mark.parametrize(
    ("changes", "end"),
    [
        ({"lost": 3}, "3 lost, 0 doubled; both stores equal"),
        ({"lost": None, "doubled": None}, "within 5.2 s; both stores equal"),
        (
            {"compared": Comparison(why_not_all="MongoDB does not answer")},
            "not compared: MongoDB does not answer",
        ),
        (
            {"compared": Comparison(checked=5, equal=5, why_not_all="it took too long")},
            "5 of 20,000 compared: it took too long",
        ),
        ({"compared": Comparison(checked=9, equal=8, differences={"stale": 1})}, "0 doubled; 1 stale"),
        ({"compared": Comparison(checked=9, pending=1), "pending": 1}, "0 doubled; 1 still on their way"),
        ({"compared": Comparison(checked=9, dead_letters=2)}, "0 doubled; 2 dead letters"),
    ],
)
def test_nothing_is_called_equal_that_was_not_found_to_be(changes, end):
    found = sentence(**changes)
    assert found.endswith(end)
    assert ("equal" in found) == ("compared" not in changes)
    assert is_good(replace(GOOD, **changes)) == (changes.get("lost", 0) is None)


def test_the_file_draws_each_fault_upright_in_both_charts_and_escapes_all_texts():
    hostile = "<i>&"
    second = int(AT.timestamp())
    rows = [(second + n, n * 10, n * 10, n * 10, n * 10, 5.0, 7.0) for n in range(20)]
    fault = Happening(AT + timedelta(seconds=5), "fault", hostile)
    outside = Happening(AT + timedelta(seconds=90), "fault", "too late")
    seen = Happening(AT + timedelta(seconds=6), "observed", "a is gone.")
    verdict = replace(
        GOOD,
        seed=hostile,
        history=rows,
        happenings=[fault, seen, outside],
        named_rescued=[Named(hostile, hostile)],
    )
    page = page_of(verdict)
    assert hostile not in page
    assert len(re.findall('<line class="fault"', page)) == 2
    assert page.count("<polyline") == 4
    assert "http" not in page
