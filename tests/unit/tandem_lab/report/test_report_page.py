"""The report's page: what it says."""

import re
from html.parser import HTMLParser

import msgspec
import pytest

from reports import baseline, beside_users, changes, closed, everything, quiet, reads, sample, side_by_side
from tandem_lab.bench.results import GeneratorCost, OwnWrites
from tandem_lab.histogram import Percentiles
from tandem_lab.report.format import number
from tandem_lab.report.metrics import metrics_of
from tandem_lab.report.page import page_of, write_report
from tandem_lab.report.thresholds import ThresholdOutcome

HOSTILE = "</style><script>alert(1)</script><img src=x onerror=alert(1)>\"'&"


def text_of(html):
    """What a reader sees, roughly, without the list of contents and the script."""
    body = re.sub(r"<(nav|script)\b.*?</\1>", " ", html[html.index("<body>") :], flags=re.S)
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", body))


def tags_of(html):
    """The elements that a browser would make."""
    tags = []
    parser = HTMLParser()
    parser.handle_starttag = lambda tag, _: tags.append(tag)
    parser.feed(html)
    return tags


@pytest.mark.parametrize("report", [everything(), side_by_side()])
def test_a_report_needs_nothing_from_anywhere(report):
    html = page_of(report)
    assert re.findall(r"<(?:script|link|iframe|object|img)\b[^>]*>", html) == [
        '<link rel="icon" href="data:,">',
        "<script>",
    ]
    assert re.findall(r"https?:|@import|url\(", html) == []


def test_a_load_that_did_not_keep_up_is_said_to_have_fallen_behind_wherever_it_stands():
    slow = msgspec.structs.replace(
        next(each for each in sample().measurements if each.rate_due == 2814.0),
        per_second={"accepted": 2000.0, "synchronized": 2000.0},
    )
    others = [each for each in sample().measurements if each.rate_due != 2814.0 or each.instances != 1]
    reading = msgspec.structs.replace(reads("read by e-mail beside writes", 4000.0), rate_due=6000.0)
    text = text_of(page_of(quiet(*others, slow, reading)))
    assert "it fell behind: 2,000 of 2,814 due a second" in text[: text.index("What was measured")]
    assert text.count("fell behind: 4,000 of 6,000 due a second") == 2
    assert "fell behind" not in text_of(page_of(sample()))


def test_every_number_of_every_measurement_is_on_the_page():
    report, text = sample(), text_of(page_of(sample()))
    missing = [
        (measurement.kind, metric.name, value)
        for measurement in report.measurements
        for metric, value in metrics_of(measurement).items()
        if number(value) not in text
    ]
    assert missing == []


def test_the_answer_comes_first_with_its_spread():
    text = text_of(page_of(quiet(*closed([900.0, 1000.0, 1100.0]))))
    answer = text[: text.index("What was measured")]
    assert "1,000 users a second" in answer
    assert "the median of 3 rounds, between 900 and 1,100" in answer
    assert "fsync = on" in answer


def test_lag_and_answers_at_half_of_the_saturation_are_in_the_answer():
    text = text_of(page_of(sample()))
    half = next(each for each in sample().measurements if each.rate_due == 2814.0)
    assert f"At 50% of that, {number(half.per_second['synchronized'])} users a second" in text
    assert f"99% within {number(half.lag_ms.p99)} ms" in text


def test_the_best_of_a_round_is_what_a_baseline_counts_with():
    both = [*baseline("one at a time in C", [100.0]), *baseline("one at a time in C", [400.0])]
    text = text_of(page_of(quiet(*closed([1000.0]), *both)))
    assert "ratio to “one at a time in C” 2.50" in text


def test_words_beside_the_big_numbers_are_explained_where_they_stand():
    html = page_of(quiet(*closed([1000.0]), *baseline("frozen floor", [500.0])))
    cards = html[html.index("<dl") : html.index("</dl>")]
    assert re.search(
        r'<abbr title="frozen floor: an early version[^"]*">ratio to “frozen floor”</abbr>', cards
    )
    assert re.search(r'<abbr title="saturation: [^"]*">at saturation</abbr>', cards)


def test_thresholds_are_met_or_missed_in_words():
    outcomes = [
        ThresholdOutcome("lag p99 under 50 ms", "27.5 ms", met=True),
        ThresholdOutcome("at least 9,000 users/s", "5,628 users/s", met=False),
    ]
    text = text_of(page_of(sample(), outcomes))
    assert "1 of 2 thresholds met, 1 missed." in text
    assert "✓ met lag p99 under 50 ms: measured 27.5 ms" in text
    assert "✗ missed at least 9,000 users/s: measured 5,628 users/s" in text


def test_a_page_without_thresholds_speaks_of_none():
    assert "thresholds" not in text_of(page_of(sample()))


def test_a_busy_machine_is_warned_of_and_a_quiet_one_is_not():
    assert "Other programs kept 1.99 cores busy" in text_of(page_of(sample()))
    assert "Other programs" not in text_of(page_of(quiet(*closed([1000.0]))))


def test_programs_that_were_busy_later_are_warned_of_too():
    disturbed = msgspec.structs.replace(closed([1000.0])[0], others_busy=0.9)
    text = text_of(page_of(quiet(disturbed, *closed([1000.0]))))
    assert "0.00 cores busy when this began, and up to 0.90 in 1 of the" in text
    assert "What limits it cannot be told" in text_of(page_of(quiet(disturbed)))


def test_a_baseline_that_was_disturbed_otherwise_than_the_service_is_named():
    ours = msgspec.structs.replace(closed([1000.0])[0], others_busy=0.9)
    alike = msgspec.structs.replace(baseline("plain way", [500.0])[0], others_busy=0.8)
    quieter = msgspec.structs.replace(baseline("frozen floor", [500.0])[0], others_busy=0.1)
    text = text_of(page_of(quiet(ours, alike, quieter)))
    assert "disturbed the two sides of these unevenly: ratio to “frozen floor” (round 1)." in text


def test_instances_that_were_disturbed_otherwise_than_one_are_named_too():
    one, three = closed([1000.0, 1000.0]), closed([1000.0, 1000.0], 3)
    three = [msgspec.structs.replace(each, through_nginx=True, others_busy=0.1) for each in three]
    one = [msgspec.structs.replace(each, others_busy=0.8 if each.round == 2 else 0.2) for each in one]
    text = text_of(page_of(quiet(*one, *three)))
    assert "unevenly: 3 behind nginx, users/s: ratio to “one without nginx” (round 2)." in text


def test_who_waited_for_a_core_or_the_disk_is_told_beside_the_limit():
    full = msgspec.structs.replace(
        closed([1000.0])[0],
        users=10_000,
        seconds=10.0,
        cpu_us_per_user={"instances": 970.0, "postgres": 100.0},
        waiting_for_core={"postgres": 0.8, "instances": 0.3, "nginx": 0.01},
        waiting_for_disk=0.4,
    )
    text = text_of(page_of(quiet(full)))
    assert "Ready but without a core were, in threads: PostgreSQL (0.8), instances (0.3)." in text
    assert "0.4 cores were idle while something waited for the disk." in text


def test_what_was_left_out_is_said_in_the_answer():
    report = msgspec.structs.replace(quiet(*closed([1000.0])), left_out=["The baseline “x” is left out: y."])
    text = text_of(page_of(report))
    assert "The baseline “x” is left out: y." in text[: text.index("What was measured")]


def test_the_ratio_stands_beside_the_best_of_a_baselines_loads():
    some = [
        msgspec.structs.replace(baseline("one at a time in C", [rate])[0], connections=clients)
        for clients, rate in [(6, 100.0), (32, 400.0)]
    ]
    text = text_of(page_of(quiet(*closed([1000.0]), *some)))
    assert "one at a time in C, 6 connections 100 pgbench" in text
    assert "one at a time in C, 32 connections 400 2.50 pgbench" in text


def section(text, begin, end):
    """The text between two headings."""
    return text[text.index(begin) : text.index(end)]


def test_changes_stand_beside_the_creates_that_they_are_a_ratio_to():
    small = [msgspec.structs.replace(each, connections=6) for each in closed([500.0])]
    some = [*closed([1000.0, 1100.0]), *small, *changes("update", [600.0, 550.0])]
    text = section(text_of(page_of(quiet(*some))), "Updates and deletions", "Every number, by load")
    assert "Tandem: update, 200 connections 575 (550 to 600) 0.550 (0.500 to 0.600)" in text
    assert "6 connections" not in text
    assert "Updates and deletions" not in text_of(page_of(quiet(*closed([1000.0]))))


def test_contended_updates_have_a_curve_and_the_share_that_was_answered_412():
    some = [
        *changes("contended update", [900.0], 0.0),
        *changes("contended update", [1200.0], 1.3),
        *changes("contended update, If-Match", [100.0, 110.0], 1.3, conflicts=3000),
    ]
    html = page_of(quiet(*closed([1000.0]), *some))
    text = section(text_of(html), "Updates of the same users", "Every number, by load")
    assert "0 none 900 0.0%" in text
    assert "1.3 none 1,200 0.0%" in text
    assert "1.3 If-Match 105 75.0%" in text
    assert html.count('class="dot series-1"') == 1 + 2
    assert "contended update, If-Match, Zipf 1.3, 200 connections" in text_of(html)
    assert "requests were not answered" not in text


def test_reads_of_ones_own_writes_say_who_answered():
    wait = Percentiles(15.0, 20.0, 31.0, 40.0, 50.0)
    own = [OwnWrites("create", 500, 0.7, 0.0, wait, 0), OwnWrites("update", 500, 0.8, 0.01, wait, 0)]
    html = page_of(msgspec.structs.replace(quiet(), own_writes=own))
    text = section(text_of(html), "Reading one's own writes", "Where it was measured")
    assert "after each create after each update" in text
    assert "without a wait: MongoDB 30.0% 20.0%" in text
    assert "with a wait: PostgreSQL in the end 0.0% 1.0%" in text
    assert "with a wait: p99, ms 31.0 31.0" in text
    assert "an error of the service" not in text_of(html)


def test_an_earlier_version_that_was_read_is_warned_of():
    own = [OwnWrites("create", 500, 0.7, 0.0, None, 1), OwnWrites("update", 500, 0.7, 0.0, None, 2)]
    text = text_of(page_of(msgspec.structs.replace(quiet(), own_writes=own)))
    assert "3 reads of one's own writes were answered with an earlier version" in text


def scaled():
    """A report of `tandem scale`: one without nginx under several loads, then one and three behind it."""
    one = [
        msgspec.structs.replace(each, connections=connections)
        for connections in (200, 400, 6)
        for each in closed([900.0 + connections, 910.0 + connections])
    ]
    behind = [
        msgspec.structs.replace(each, through_nginx=True)
        for instances, rate in [(1, 1000.0), (3, 1500.0)]
        for each in closed([rate, rate + 10.0], instances)
    ]
    return msgspec.structs.replace(quiet(*one, *behind), kind="scale")


def test_the_answer_of_a_report_on_scaling_speaks_of_instances():
    text = text_of(page_of(scaled()))
    answer = text[: text.index("What was measured")]
    assert "With 200 connections, one instance behind nginx carries 1,005 users a second" in answer
    assert "3 instances carry 1,505: 3.00 times as many instances, 1.50 times as many users" in answer
    assert "3 behind nginx carry 1.36 times as many users a second" in answer
    assert "1.00 times as much CPU, or 1.00 times without the share of nginx" in answer


def test_fewer_cores_than_programs_are_no_coherency():
    assert "This machine has 2 cores for up to 7 busy programs" in text_of(page_of(scaled()))
    many = msgspec.structs.replace(scaled(), environment={"machine": {"cores": 64}})
    assert "busy programs" not in text_of(page_of(many))


def test_the_curve_over_connections_is_that_of_the_instance_that_was_asked_with_several():
    text = text_of(page_of(scaled()))
    curve = text[text.index("How it grows with connections") : text.index("Every number, by load")]
    assert "Throughput by connections connections users/s speed-up efficiency 6 911" in curve


def test_a_generator_near_its_limit_is_warned_of():
    busy = msgspec.structs.replace(closed([1000.0])[0], generator=GeneratorCost(10.0, 0.93, 1.0))
    assert "used 93% of its one core" in text_of(page_of(quiet(busy)))


def test_what_limits_the_service_is_named_on_a_quiet_machine_only():
    full = msgspec.structs.replace(closed([1000.0], cpu_us=970.0)[0], users=10_000, seconds=10.0)
    full = msgspec.structs.replace(full, cpu_us_per_user={"instances": 970.0, "postgres": 100.0})
    assert "instances saturates: it uses 97% of the one core that it can" in text_of(page_of(quiet(full)))
    busy = text_of(page_of(quiet(full, others_busy=1.0)))
    assert "saturates" not in busy
    assert "What limits it cannot be told" in busy


def test_cpu_is_shown_by_thread_and_the_event_loop_can_be_the_limit():
    full = msgspec.structs.replace(
        closed([1000.0])[0],
        users=10_000,
        seconds=10.0,
        cpu_us_per_user={"instances": 1100.0, "postgres": 100.0},
        event_loop_us_per_user=950.0,
    )
    text = text_of(page_of(quiet(full)))
    assert "event loop saturates: it uses 95% of the one core that it can" in text
    assert "CPU: event loop µs/user 950" in text
    assert "CPU: instances' other threads µs/user 150" in text
    assert "closed, 200 connections 950 150 100" in text


def test_failed_requests_are_warned_of():
    failing = msgspec.structs.replace(closed([1000.0])[0], statuses={"201": 900, "503": 70, "timeout": 7})
    assert "77 requests were not answered 201" in text_of(page_of(quiet(failing)))


def test_durability_that_is_off_is_warned_of():
    report = quiet(*closed([1000.0]), postgres={"fsync": "off", "synchronous_commit": "on"})
    assert "PostgreSQL ran with fsync = off" in text_of(page_of(report))


def test_scaling_shows_the_fit_only_for_several_instances():
    assert "Universal Scalability Law" in text_of(page_of(everything()))
    assert "Universal Scalability Law" not in text_of(page_of(sample()))


def test_scaling_that_cannot_be_told_says_so():
    report = quiet(*closed([1000.0], 1), *closed([1900.0], 2))
    assert "not identifiable: 2 different N and 2 measurements are too few" in text_of(page_of(report))


def test_a_load_of_which_nothing_arrived_can_still_be_shown():
    assert "One instance carries 0 users a second" in text_of(
        page_of(quiet(*closed([0.0, 0.0]), *baseline("plain way", [0.0])))
    )


def test_a_report_without_any_measurement_says_what_is_missing():
    assert "no closed load" in text_of(page_of(quiet()))


def test_hostile_text_stays_text():
    report = quiet(
        *closed([1000.0]),
        *baseline(HOSTILE, [1.0]),
        machine={"processor": HOSTILE, "cores": 2},
        revision=HOSTILE,
        **{HOSTILE: {HOSTILE: HOSTILE}},
    )
    report = msgspec.structs.replace(report, command=["tandem", HOSTILE], begun_at=HOSTILE)
    html = page_of(report, [ThresholdOutcome(HOSTILE, HOSTILE, met=False)])
    assert [tag for tag in tags_of(html) if tag in {"script", "img", "style"}] == ["style", "script"]
    assert "alert(1)" in text_of(html)


def test_a_command_line_with_bytes_that_are_no_text_can_be_written(tmp_path):
    report = msgspec.structs.replace(sample(), command=["tandem", b"\xff".decode(errors="surrogateescape")])
    write_report(report, tmp_path / "report.html")
    assert "\\udcff" in (tmp_path / "report.html").read_text()


def test_an_aggregate_beside_users_is_the_answer_where_nothing_else_was_measured():
    text = text_of(page_of(beside_users([800.0, 900.0, 1000.0], [1000.0, 1000.0, 1000.0])))
    answer = text[: text.index("What was measured")]
    assert "900 orders a second" in answer
    assert "1,000 users whose events are as large" in answer
    assert "aggregate: ratio to “users of its size” 0.900 0.800 to 1.00 in 3 rounds" in answer
    section = text[text.index("An aggregate beside users") :]
    assert "0.900 (0.800 to 1.00)" in section
    assert "the events that create one, bytes of JSON 179" in section
