"""The page of systems side by side: as hard on ours as on others."""

import re
from xml.etree.ElementTree import fromstring

import msgspec
import pytest
from click.testing import CliRunner

from reports import SAMPLE, of_peer, proved, side_by_side
from tandem.cli import main
from tandem_lab.proof.peers import PeerCounts
from tandem_lab.report.page import page_of

HOSTILE = "</style><script>alert(1)</script>\"'&"


def text_of(element):
    return re.sub(r"\s+", " ", " ".join(element.itertext())).replace(" ,", ",").replace(" ;", ";").strip()


class Page:
    """A page as a reader finds it: by sections."""

    def __init__(self, report, proof=None):
        self.html = page_of(report, (), proof)
        body = self.html[self.html.index("<main>") : self.html.index("</main>") + len("</main>")]
        self.main = fromstring(body)

    def section(self, name):
        return self.main.find(f"section[@id='{name}']")

    def rows(self, name):
        """The cells of each row of the first table of a section, by the first of them."""
        rows = [[text_of(cell) for cell in row] for row in self.section(name).find(".//tbody")]
        return {row[0]: row[1:] for row in rows}

    @property
    def answer(self):
        return [text_of(each) for each in self.section("answer").findall("./div[@class='lead']/p")]


def test_the_first_sentence_says_who_carries_most_and_who_is_soonest():
    counts = {
        "tandem": PeerCounts(500),
        "dual": PeerCounts(500, lost=7),
        "outbox": PeerCounts(500, doubled=2),
    }
    first, _ = Page(side_by_side(), proved(**counts)).answer
    assert first == (
        "Of 3 designs, tandem carries 4,100 users a second, 8.04 times as many as the next, outbox; users "
        "are in the second store soonest with dual: after < 10.0 ms at half of its rate (p50), beside "
        "30.0 ms with tandem; of 3 that were put to the proof, 1 lost users, 1 doubled some."
    )


def test_every_column_in_which_another_is_better_is_named():
    _, second = Page(side_by_side()).answer
    assert second.startswith(
        "Others are better than tandem in 8 of 12 columns: dual in “lag, half, p50” (< 10.0 beside"
    )
    assert "dual in “answer, 6, p99” (30.0 beside 40.0 ms)" in second
    assert "lines" not in second


def test_a_lag_that_is_hardly_less_is_not_called_better():
    report = side_by_side(of_peer("tandem", [100.0], lag_ms=2.0), of_peer("other", [50.0], lag_ms=1.1))
    assert Page(report).answer[1] == "In no column of the table is another better than tandem."


def test_another_that_carries_more_than_ours_is_said_to():
    report = side_by_side(of_peer("tandem", [100.0, 200.0]), of_peer("other", [150.0, 350.0]))
    first, second = Page(report).answer
    assert first.startswith(
        "Of 2 designs, other carries 250 users a second, 1.67 times as many as the next, tandem (but"
    )
    assert second == "Others are better than tandem in 1 of 12 columns: other in “users/s” (250 beside 150)."


def test_a_system_alone_is_compared_with_nobody():
    (only,) = Page(side_by_side(of_peer("mine", [100.0]))).answer
    assert only == (
        "mine carries 100 users a second; users are in the second store after 30.0 ms at half of its rate "
        "(p50)."
    )


def test_users_that_never_arrived_are_in_the_answer():
    late = [msgspec.structs.replace(each, not_arrived=3) for each in of_peer("other", [50.0])]
    assert (
        "; 1 had not brought all of its users there"
        in Page(side_by_side(of_peer("tandem", [100.0]), late)).answer[0]
    )


def test_the_best_of_each_column_is_marked_with_its_spread():
    rows = Page(side_by_side()).rows("side-by-side")
    assert [cells[0] for cells in rows.values()] == [
        "★ 4,100 4,000 to 4,200",
        "110 100 to 120",
        "510 500 to 520",
    ]
    assert [cells[1] for cells in rows.values()] == ["30.0", "★ < 10.0", "60.0"]
    assert [cells[-1] for cells in rows.values()] == ["★ 100", "150", "200"]


def test_half_of_its_rate_is_the_same_load_in_every_round():
    html = page_of(side_by_side(of_peer("mine", [100.0, 400.0, 900.0])))
    assert "mine: open, 50% of saturation: 400/s, 3 rounds" in html


def test_what_is_shown_where_one_points_is_what_the_tables_say():
    page = Page(side_by_side())
    rates = {
        name: cells[0].removeprefix("★ ").split()[0] for name, cells in page.rows("side-by-side").items()
    }
    tips = [bar.get("data-tip") for bar in page.section("peer-rates").iter("li")]
    assert tips == [f"{name}: {rates[name]}" for name in ("tandem", "outbox", "dual")]
    shown = {
        line.findtext("title"): re.findall(r";([\d.]+);([\d.]+)(?:\||$)", line.get("data-points"))
        for line in page.section("peer-lags").iter("g")
        if line.get("data-points")
    }
    assert {name: [*points[0], *points[1]] for name, points in shown.items()} == page.rows("peer-lags")
    cpu = [
        bar.get("data-tip").split("|")[1:]
        for bar in page.section("peer-cpu").iter("li")
        if bar.get("data-tip")
    ]
    assert cpu == [
        [f"instances: {cells[0]} µs", f"PostgreSQL: {cells[1]} µs"]
        for cells in page.rows("peer-cpu").values()
    ]


@pytest.mark.parametrize(("slowest", "is_logarithmic"), [(300.0, False), (100.0, True)])
def test_bars_are_logarithmic_where_some_could_not_be_seen_otherwise(slowest, is_logarithmic):
    page = Page(side_by_side(of_peer("tandem", [4000.0]), of_peer("slow", [slowest])))
    assert ("Logarithmic" in text_of(page.section("peer-rates"))) is is_logarithmic


def test_verdicts_are_shown_with_their_reasons():
    page = Page(
        side_by_side(), proved(tandem=PeerCounts(500), dual=PeerCounts(500, lost=7, doubled=1, late=2))
    )
    rows = page.rows("verdicts")
    assert rows["tandem"] == ["✓ holds", "500", "0", "0", "0", "0", "12", "yes", "1.50"]
    assert rows["dual"] == ["✗ fails", "500", "7", "1", "0", "2", "12", "none", "1.50"]
    assert "dual: It had no key to prevent it." in text_of(page.section("verdicts"))
    assert Page(side_by_side()).section("verdicts") is None


def test_what_was_left_out_has_a_section_and_no_warning():
    page = Page(side_by_side(left_out=["dual: it does not start."]))
    assert "it does not start" in text_of(page.section("left-out"))
    assert "it does not start" not in text_of(page.section("answer"))


def test_each_design_is_told_with_what_it_is_made_with():
    said = text_of(Page(side_by_side()).section("designs"))
    assert "dual What dual is. No keys. Made with lib 1.2." in said


def test_what_is_of_tandem_alone_is_not_on_a_page_of_peers():
    page = Page(side_by_side())
    assert page.section("about") is None
    assert "Seen from outside" in text_of(page.section("method"))
    assert "Read from the event log" not in text_of(page.section("method"))


def test_hostile_names_stay_text():
    html = page_of(
        side_by_side(of_peer(HOSTILE, [100.0]), of_peer("b", [10.0])), (), proved(**{HOSTILE: PeerCounts(1)})
    )
    assert html.count("<script>") == 1
    assert "&lt;/style&gt;&lt;script&gt;alert(1)" in html


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (["--verdicts", "x.json"], "--verdicts needs --peer or --peers"),
        (["--peers", "tandem", "--verdicts", "nowhere.json"], "nowhere.json cannot be read: No such file"),
        (
            ["--peers", "tandem", "--verdicts", str(SAMPLE)],
            "is not what `tandem prove --peers ... --json` prints",
        ),
    ],
)
def test_verdicts_that_cannot_be_shown_are_complained_of_before_anything_starts(options, complaint):
    result = CliRunner().invoke(main, ["bench", *options], env={"COLUMNS": "200"})
    assert result.exit_code != 0
    assert complaint in " ".join(result.output.split())
    assert "Starting a stack" not in result.output
