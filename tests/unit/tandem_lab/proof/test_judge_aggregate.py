"""What the proof says of one order whose ledger, rows, events and document contradict each other."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Annotated

import msgspec
import pytest
from orders import ORDERS
from orders.order import CancelOrder, Line, PayOrder, PlaceOrder, ShipOrder

from tandem.aggregates import Profile
from tandem.user.profile import Name
from tandem_lab.proof.judge_aggregate import AggregateJudge, AggregatePromise, AggregateRow, made_of, plain
from tandem_lab.proof.ledger import Acknowledged, content_hash

PLACE = PlaceOrder(7, (Line("tea", 2, 350),))
JANE = Profile("jane@example.com", name=Name(first="Jane", last="Doe"))
SHOW = "order/show-customer"


class Judged:
    """An order as it should be, placed and paid; tests change it, and ask what is wrong then."""

    def __init__(self, aggregate=ORDERS):
        self.aggregate = aggregate
        self.promise = AggregatePromise()
        self.events = []
        self.state = None
        self.status = "SYNCRONIZED"
        self.pending = False
        self.customer, self.renamed = JANE, 0
        self.creations = {content_hash(made_of(aggregate, PLACE, None))}
        self.carry_out(PLACE)
        self.carry_out(PayOrder(700))

    @property
    def version(self):
        return max((event[0] for event in self.events if event[1] != "SYNCRONIZED"), default=0)

    def carry_out(self, command, cause=None, *, acknowledged=True, **more):
        for event in self.aggregate.decide(command, self.state):
            self.state = self.aggregate.evolve(self.state, event)
            self.happens(type(event).__name__, plain(event), cause)
        if acknowledged and cause is None:
            self.acknowledge(command, self.version, **more)

    def happens(self, event, data=None, cause=None):
        version = self.version + 1
        self.events += [[version, event, data, cause], [version, "SYNCRONIZED", None, None]]
        shown = plain(ORDERS.document(self.state, {"customer": self.customer})) if self.state else {}
        self.document = {"_id": 1, "seed": "run", "version": version, "currentStatus": "SYNCRONIZED", **shown}

    def acknowledge(self, command, version, **more):
        name, body = type(command).__name__, msgspec.to_builtins(command)
        self.promise.add(Acknowledged("k", 1, "run", version=version, command=name, body=body, **more))

    def without(self, version, event):
        self.events = [one for one in self.events if one[:2] != [version, event]]

    @property
    def row(self):
        events = json.dumps(sorted(self.events, key=lambda event: event[0]))
        state = self.state and msgspec.json.encode(self.state).decode()
        columns = (1, self.version, self.status, self.pending, False, state, events)
        return AggregateRow(*columns, {"customer": self.customer}, {"customer": self.renamed})

    def failures_with(self, row):
        judge = AggregateJudge(self.aggregate, self.creations)
        return [str(failure) for failure in judge.judge(self.promise, row, self.document)]

    @property
    def failures(self):
        return self.failures_with(self.row)


@pytest.fixture
def order():
    return Judged()


def test_an_order_that_went_its_way_has_nothing_wrong(order):
    assert order.failures == []
    order.carry_out(ShipOrder("p1"), expected=2)
    assert order.failures == []


def test_reactions_may_change_an_order_and_write_its_document_anew(order):
    order.renamed = 1
    order.happens("REFRESHED", cause=SHOW)
    order.carry_out(CancelOrder("left"), cause="order/cancel")
    assert order.failures == []


def test_a_document_that_is_written_anew_more_often_than_there_is_reason_to_is_doubled(order):
    order.renamed = 1
    for _ in range(2):
        order.happens("REFRESHED", cause=SHOW)
    assert order.failures == ["doubled"]


def test_a_missing_row_is_a_lost_order_and_one_without_a_promise_is_doubled(order):
    assert order.failures_with(None) == ["lost"]
    order.promise = None
    assert order.failures_with(None) == ["doubled"]


def test_a_missing_document_is_lost_unless_it_is_on_the_way(order):
    order.document = None
    assert order.failures == ["lost"]
    order.pending = True
    assert order.failures == []


def test_a_command_without_an_event_is_lost(order):
    order.acknowledge(ShipOrder("p1"), 3)
    assert order.failures == ["lost"]


def test_a_command_that_shares_the_version_of_another_is_lost(order):
    order.acknowledge(PayOrder(1), 2)
    assert order.failures == ["lost"]


def test_a_command_that_was_carried_out_on_another_version_than_it_expected_is_lost(order):
    order.carry_out(ShipOrder("p1"), expected=1)
    assert set(order.failures) == {"lost", "doubled"}


@pytest.mark.parametrize(("status", "failures"), [(0, ["unacknowledged"]), (409, [])])
def test_what_nobody_has_acknowledged_may_be_of_an_earlier_try_of_what_was_rejected(status, failures, order):
    order.carry_out(ShipOrder("p1"), acknowledged=False)
    if status:
        order.acknowledge(ShipOrder("p1"), 0, rejected=status)
    assert order.failures == failures


def test_an_event_that_no_command_leads_to_is_not_acknowledged(order):
    order.happens("OrderShipped", {"parcel": "p1"})
    order.state = msgspec.structs.replace(order.state, status="shipped", parcel="p1")
    order.document |= {"status": "shipped", "parcel": "p1"}
    assert order.failures == ["unacknowledged"]


def test_a_second_order_of_one_command_is_doubled_and_an_unknown_one_not_acknowledged(order):
    order.promise, order.events, order.state = None, [], None
    order.carry_out(PLACE, acknowledged=False)
    assert order.failures == ["doubled"]
    order.creations = set()
    assert order.failures == ["unacknowledged"]


def test_what_a_reaction_has_created_needs_no_promise(order):
    order.promise, order.events, order.state = None, [], None
    order.carry_out(PLACE, cause="other/order")
    assert (order.failures, order.row.is_a_clients) == ([], False)


@pytest.mark.parametrize("name", ["Max", None])
def test_a_document_that_shows_an_old_name_differs(name, order):
    order.customer = name and Profile("max@example.com", name=Name(first=name))
    assert order.failures == ["differing"]


@pytest.mark.parametrize(
    "tampering",
    [
        lambda order: order.without(2, "SYNCRONIZED"),
        lambda order: order.document.update(version=1),
        lambda order: order.document.update(cents=1),
        lambda order: order.document.pop("lines"),
        lambda order: order.document.update(more=1),
        lambda order: setattr(order, "status", "OrderPaid"),
        lambda order: setattr(order, "state", msgspec.structs.replace(order.state, parcel="p")),
        lambda order: setattr(order, "state", None),
        lambda order: order.without(1, "OrderPlaced"),
        lambda order: order.events.append([3, "Unknown", {}, "order/cancel"]),
        lambda order: setattr(order, "events", []),
    ],
)
def test_whatever_contradicts_the_events_differs(tampering, order):
    tampering(order)
    assert "differing" in order.failures


@pytest.mark.parametrize(
    "event", [[2, "SYNCRONIZED", None, None], [2, "OrderCancelled", {"reason": "x"}, None]]
)
def test_a_version_that_is_there_twice_is_doubled(event, order):
    order.events.append(event)
    assert order.failures == ["doubled"]


class Drop(msgspec.Struct, frozen=True):
    pass


class Dropped(msgspec.Struct, frozen=True):
    pass


@pytest.fixture
def dropped():
    """An order of a kind that can be deleted, which it is."""
    kind = replace(
        ORDERS,
        commands={**ORDERS.commands, "drop": Drop},
        events=[*ORDERS.events, Dropped],
        decide=lambda command, order: [Dropped()] if type(command) is Drop else ORDERS.decide(command, order),
        evolve=lambda order, event: None if type(event) is Dropped else ORDERS.evolve(order, event),
    )
    order = Judged(kind)
    order.carry_out(Drop())
    order.status = "DELETED"
    order.document |= {"currentStatus": "DELETED", "deletedAt": datetime(2026, 1, 1, tzinfo=UTC)}
    return order


def test_a_deleted_order_has_a_tombstone_or_nothing(dropped):
    assert dropped.failures == []
    assert dropped.promise.is_deleted
    dropped.document = None
    assert dropped.failures == []


@pytest.mark.parametrize(
    "tampering",
    [
        lambda order: order.document.pop("deletedAt"),
        lambda order: setattr(order, "status", "SYNCRONIZED"),
        lambda order: order.carry_out(PLACE, cause="order/again"),
    ],
)
def test_a_deleted_order_that_lives_is_resurrected(tampering, dropped):
    tampering(dropped)
    assert dropped.failures == ["resurrected"]


class Add(msgspec.Struct, frozen=True):
    times: Annotated[int, msgspec.Meta(ge=1, le=9)]


class Added(msgspec.Struct, frozen=True):
    pass


def decide_or_add(command, order):
    if type(command) is not Add:
        return ORDERS.decide(command, order)
    return [] if order.parcel == "xx" else [Added()] * command.times


def evolve_or_add(order, event):
    if type(event) is not Added:
        return ORDERS.evolve(order, event)
    return msgspec.structs.replace(order, parcel=f"{order.parcel or ''}x")


def test_a_command_may_lead_to_several_events_and_others_change_nothing_of_them():
    order = Judged(
        replace(
            ORDERS,
            commands={**ORDERS.commands, "add": Add},
            events=[*ORDERS.events, Added],
            decide=decide_or_add,
            evolve=evolve_or_add,
        )
    )
    order.carry_out(Add(2))
    order.acknowledge(Add(5), 4)
    assert order.failures == []
    order.acknowledge(Add(5), 3)
    assert order.failures == ["lost"]
