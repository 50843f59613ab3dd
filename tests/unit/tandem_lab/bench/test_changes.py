"""Loads that change users: whose turn it is, what is sent, and what reads of one's own writes show."""

from collections import Counter

import msgspec
import pytest

from tandem_lab.bench.generator import Plan, expecting, header, reading, requests_of
from tandem_lab.bench.load_kinds import Kind
from tandem_lab.bench.measure import CONTENDED_USERS, Change
from tandem_lab.bench.own_writes import Read, own_writes_of

USERS = range(1000, 1100)


def plan(method, **changes):
    return Plan("127.0.0.1", 8000, 1.0, 2, 10, seed="load", method=method, targets=(7, 8), **changes)


def test_everybody_is_changed_once_in_an_order_that_is_always_the_same():
    change = Change(Kind.UPDATE, "run")
    targets = change.targets(USERS, 10)
    assert sorted(targets) == list(USERS) != list(targets)
    assert targets == change.targets(USERS, 10)


@pytest.mark.parametrize(("exponent", "first", "second"), [(0.0, 0.01, 0.01), (1.0, 0.193, 0.096)])
def test_the_law_of_zipf_decides_who_is_changed_how_often(exponent, first, second):
    targets = Change(Kind.CONTENDED, "run", exponent).targets(USERS, 50_000)
    (_, most), (_, next_most), *_ = Counter(targets).most_common()
    assert len(targets) == 50_000
    # The shares of 100 users; of 1, 1/2, 1/3 and so on, they are 1/5.19 and half of that.
    assert most / 50_000 == pytest.approx(first, rel=0.2)
    assert next_most / 50_000 == pytest.approx(second, rel=0.2)


def test_the_same_users_are_contended_by_every_load_and_they_are_not_too_many():
    many = range(3 * CONTENDED_USERS)
    even, uneven = (set(Change(Kind.CONTENDED, "run", s).targets(many, 200_000)) for s in (0.0, 1.0))
    assert uneven <= even
    assert len(even) == CONTENDED_USERS


@pytest.mark.parametrize("exponent", [None, 1.0])
def test_where_nobody_is_nobody_is_changed(exponent):
    assert Change(Kind.CONTENDED, "run", exponent).targets([], 10) == ()


def test_each_patch_names_its_user_and_has_a_key_and_a_number_of_its_own():
    first, second = requests_of(plan("PATCH"))
    assert first.startswith(b"PATCH /api/v1/user-command/7 HTTP/1.1\r\nHost: 127.0.0.1:8000\r\n")
    assert second.startswith(b"PATCH /api/v1/user-command/8 ")
    heads, bodies = zip(*(request.split(b"\r\n\r\n") for request in (first, second)), strict=True)
    assert [int(header(one, b"content-length")) for one in (first, second)] == list(map(len, bodies))
    assert header(first, b"idempotency-key") != header(second, b"idempotency-key")
    assert all(head.count(b"\r\n") == 4 for head in heads)
    assert msgspec.json.decode(bodies[0]) != msgspec.json.decode(bodies[1])


def test_a_delete_has_no_body():
    requests = list(requests_of(plan("DELETE")))
    assert [request.split(b" ")[1] for request in requests] == [
        b"/api/v1/user-command/7",
        b"/api/v1/user-command/8",
    ]
    assert all(request.endswith(b"Content-Length: 0\r\n\r\n") for request in requests)


def test_a_load_of_changes_without_users_creates_none():
    nobody = msgspec.structs.replace(plan("PATCH"), targets=())
    assert list(requests_of(nobody)) == []


def test_before_a_change_its_user_is_read_and_then_that_version_is_expected():
    change = next(iter(requests_of(plan("PATCH"))))
    read = reading(change, b"12")
    assert read == b"GET /api/v1/user-query/7?version=12 HTTP/1.1\r\nHost: 127.0.0.1:8000\r\n\r\n"
    expected = expecting(change, b"12")
    assert header(expected, b"if-match") == b'"12"'
    assert expected.replace(b'If-Match: "12"\r\n', b"") == change


@pytest.mark.parametrize(
    ("message", "found"),
    [
        (b'HTTP/1.1 200 OK\r\nETag: "5"\r\nX: y\r\n\r\n', b'"5"'),
        (b'HTTP/1.1 200 OK\r\nX: y\r\netag:"5"\r\n\r\n', b'"5"'),
        (b'HTTP/1.1 200 OK\r\nX-ETag: "4"\r\n\r\netag: "3"\r\n', b""),
        (b"HTTP/1.1 204 No Content\r\n\r\n", b""),
    ],
)
def test_a_header_is_found_wherever_it_stands_in_the_head(message, found):
    assert header(message, b"etag") == found


def test_who_answered_is_told_for_reads_without_a_wait_and_with_one():
    at_once, too_early = Read(False, True, 1.0), Read(True, True, 2.0)
    waited, in_vain = Read(False, True, 20.0), Read(True, True, 30.0)
    found = own_writes_of("update", [(at_once, at_once), (too_early, waited), (too_early, in_vain)])
    assert (found.after, found.commands, found.outdated) == ("update", 3, 0)
    assert (found.missed_share, found.not_waited_out_share) == (0.6667, 0.3333)
    assert (found.wait_ms.p50, found.wait_ms.max) == (pytest.approx(20.0, rel=0.01), 30.0)


def test_an_earlier_version_is_counted_whoever_gave_it():
    current, outdated = Read(False, True, 1.0), Read(False, False, 1.0)
    assert own_writes_of("create", [(current, outdated), (outdated, outdated)]).outdated == 3
