"""What an aggregate is compared with: users whose events are as large."""

import json
from dataclasses import replace

import msgspec
import pytest
from orders import ORDERS

from tandem_lab.bench import generator
from tandem_lab.bench.beside_users import FIELDS, bytes_of_first_events, fields_of_size
from tandem_lab.bench.generator import Plan, requests_of
from tandem_lab.errors import LabError

PLAN = Plan("localhost", 80, 1.0, 1, requests=3, seed="run")


@pytest.mark.parametrize("wanted", [120.0, 179.0, 500.0])
def test_users_have_so_many_fields_that_their_events_are_about_as_large(wanted):
    fields, length = fields_of_size(wanted)
    assert fields == FIELDS[: len(fields)]
    assert abs(length - wanted) < wanted / 4


def test_nothing_smaller_than_an_address_or_larger_than_a_user_is_made():
    (least, *none), length = fields_of_size(1.0)
    assert (least, none) == ("email", [])
    fields, longest = fields_of_size(10_000.0)
    assert (fields, longest > length) == (FIELDS, True)


def test_what_an_aggregate_begins_with_is_what_its_trial_leads_to():
    assert 80 < bytes_of_first_events(ORDERS) < 180
    with pytest.raises(LabError, match="has no `trial`"):
        bytes_of_first_events(replace(ORDERS, trial=None))


def bodies_of(requests):
    heads, bodies = zip(*(request.split(b"\r\n\r\n") for request in requests), strict=True)
    return [head.splitlines()[0].decode() for head in heads], [json.loads(body) for body in bodies]


def test_users_are_created_with_all_their_fields_or_with_some():
    lines, whole = bodies_of(requests_of(PLAN))
    assert set(lines) == {"POST /api/v1/user-command?seed=run HTTP/1.1"}
    assert all(user.keys() == set(FIELDS) for user in whole)
    _, some = bodies_of(requests_of(msgspec.structs.replace(PLAN, fields=("email", "name"))))
    assert [user.keys() for user in some] == [{"email", "name"}] * 3
    assert [user["email"] for user in some] == [user["email"] for user in whole]


def test_aggregates_are_created_by_their_trial_for_users_that_are_there(monkeypatch):
    monkeypatch.setattr(generator, "named", lambda name: {"order": ORDERS}[name])
    plan = msgspec.structs.replace(PLAN, aggregate="order", targets=(7, 8))
    lines, orders = bodies_of(requests_of(plan))
    assert set(lines) == {"POST /api/v1/order-command?seed=run HTTP/1.1"}
    assert {order["userId"] for order in orders} <= {7, 8}
    assert len({json.dumps(order) for order in orders}) == 3
    assert list(requests_of(plan)) == list(requests_of(plan))
