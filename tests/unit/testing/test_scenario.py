"""Scenarios: what they accept, what they refuse, and what they say to an author."""

from dataclasses import replace
from decimal import Decimal

import msgspec
import pytest
from orders import ORDERS
from orders.order import (
    CancelOrder,
    Line,
    Order,
    OrderCancelled,
    OrderPaid,
    OrderPlaced,
    OrderShipped,
    PayOrder,
    PlaceOrder,
    ShipOrder,
)

from tandem.testing import scenario

LINES = (Line("tea", 2, 350), Line("cup", 1, 900))
PLACED = OrderPlaced(7, LINES)


class Lost(msgspec.Struct, frozen=True):
    pass


def test_the_command_that_creates_needs_nothing_given():
    scenario(ORDERS).when(PlaceOrder(7, LINES)).then(PLACED).then_state(Order(7, LINES))


def test_an_order_goes_its_way():
    paid = scenario(ORDERS).given(PLACED).when(PayOrder(1600)).then(OrderPaid())
    paid.when(ShipOrder("p1")).then(OrderShipped("p1")).then_state(Order(7, LINES, "shipped", None, "p1"))


def test_a_rejection_is_known_by_its_message_and_its_status():
    decision = scenario(ORDERS).given(PLACED).when(PayOrder(1))
    decision.then_rejected("costs 1600", status=422).then_rejected().then_state(Order(7, LINES))
    for expect in (
        lambda: decision.then_rejected("costs 1700"),
        lambda: decision.then_rejected(status=409),
        decision.then_nothing,
    ):
        with pytest.raises(AssertionError, match=r"found: rejected with 422: The order costs 1600 cents\."):
            expect()


def test_other_events_than_expected_are_shown_beside_them():
    decision = scenario(ORDERS).given(PLACED).when(PayOrder(1600))
    with pytest.raises(AssertionError, match=r"(?s)PayOrder.*expected: OrderShipped.*found: OrderPaid\(\)"):
        decision.then(OrderShipped("p1"))
    with pytest.raises(AssertionError, match=r"(?s)expected: nothing happened.*found: OrderPaid\(\)"):
        decision.then_nothing()
    with pytest.raises(AssertionError, match=r"(?s)expected: rejected with any status.*found: OrderPaid\(\)"):
        decision.then_rejected()
    with pytest.raises(AssertionError, match=r"(?s)expected: Order.*'placed'.*found: Order.*'paid'"):
        decision.then_state(Order(7, LINES))


def test_a_command_may_change_nothing():
    idle = replace(ORDERS, decide=lambda command, order: [])
    decision = scenario(idle).given(PLACED).when(PayOrder(1600)).then_nothing().then_state(Order(7, LINES))
    with pytest.raises(AssertionError, match=r"(?s)expected: OrderPaid\(\).*found: nothing happened"):
        decision.then(OrderPaid())
    with pytest.raises(AssertionError, match="has to answer PlaceOrder with an event"):
        scenario(idle).when(PlaceOrder(7, LINES))


def test_what_is_deleted_rejects_every_command():
    def evolve(order, event):
        return None if isinstance(event, OrderCancelled) else ORDERS.evolve(order, event)

    deletable = scenario(replace(ORDERS, evolve=evolve)).given(PLACED)
    cancelled = deletable.when(CancelOrder("no")).then(OrderCancelled("no")).then_state(None)
    cancelled.when(PayOrder(1600)).then_rejected("was deleted", status=410)


def test_an_error_of_decide_is_the_authors_to_see():
    def decide(command, order):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        scenario(replace(ORDERS, decide=decide)).when(PlaceOrder(7, LINES))


@pytest.mark.parametrize(
    ("history", "command", "advice"),
    [
        ([], Lost(), "Lost is no command of 'order': name it in `creates`, `commands` or `internal`"),
        ([], PayOrder(1600), "PayOrder is about an order that is there"),
        ([PLACED], PlaceOrder(7, LINES), "PlaceOrder creates an order"),
        ([PLACED], PayOrder(-1), r"PayOrder\(cents=-1\) does not survive JSON .* values that fit them"),
        ([PLACED], PayOrder(1600.0), r"PayOrder\(cents=1600.0\) does not survive JSON"),
    ],
)
def test_a_command_that_nobody_can_send_is_refused(history, command, advice):
    with pytest.raises(AssertionError, match=advice):
        scenario(ORDERS).given(*history).when(command)


@pytest.mark.parametrize(
    ("event", "advice"),
    [
        (Lost(), "Lost is no event of 'order': name it in `events`"),
        (OrderPlaced(7, list(LINES)), r"does not survive JSON \(it becomes .*\): give its fields types"),
        (OrderShipped(object()), r"does not survive JSON \(.*unsupported\): give its fields types"),
        (OrderShipped(3), r"does not survive JSON \(Expected `str`, got `int`.*\): give its fields types"),
    ],
)
def test_an_event_that_cannot_be_stored_is_refused(event, advice):
    with pytest.raises(AssertionError, match=advice):
        scenario(ORDERS).given(event)
    with pytest.raises(AssertionError, match=advice):
        scenario(replace(ORDERS, decide=lambda *_: [event])).when(PlaceOrder(7, LINES))


def test_a_state_that_cannot_be_stored_is_refused():
    listed = replace(ORDERS, evolve=lambda order, event: Order(event.user_id, list(event.lines)))
    with pytest.raises(AssertionError, match=r"Order\(.*\) does not survive JSON"):
        scenario(listed).when(PlaceOrder(7, LINES))


@pytest.mark.parametrize(
    ("document", "advice"),
    [
        (lambda order, related: {"version": 1}, "has the field 'version' of the flow: give it another name"),
        (lambda order, related: {"cents": Decimal(1)}, "answers what MongoDB cannot hold .*Decimal"),
        (lambda order, related: {"cents": 2**64}, "answers what MongoDB cannot hold"),
        (lambda order, related: {"name": related["customer"].name}, "Let it take None for each of `related`"),
    ],
)
def test_a_document_that_cannot_be_written_is_refused(document, advice):
    with pytest.raises(AssertionError, match=advice):
        scenario(replace(ORDERS, document=document)).when(PlaceOrder(7, LINES))
