"""Whole systems in memory: the same flow and reactions as in production."""

import asyncio
from dataclasses import replace

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
    PayOrder,
    PlaceOrder,
    ShipOrder,
)

from tandem.aggregates import Profile, Reaction, Rejection
from tandem.aggregates.installed import UnusableAggregate
from tandem.delivery.idempotency import KeyReused
from tandem.testing import Answer, in_memory, system
from tandem.user.profile import Name

LINES = (Line("tea", 2, 350), Line("cup", 1, 900))
PLACE = PlaceOrder(7, LINES)
JANE = Profile("jane@example.com", name=Name(first="Jane", last="Doe"))


def with_reaction(do, *, kind="order", on=("OrderPlaced",)):
    """Orders with this reaction alone."""
    return replace(ORDERS, reactions=[Reaction(name="try", kind=kind, on=on, do=do)])


@pytest.fixture
async def orders():
    async with in_memory(ORDERS) as opened:
        opened.users[7] = JANE
        yield opened


async def test_an_order_goes_its_way(orders):
    placed = await orders.send("order", None, PLACE)
    assert placed == Answer(placed.id, 1, Order(7, LINES), is_changed=True, is_replayed=False)
    await orders.settled()
    shown = orders.document("order", placed.id)
    assert (shown["customer"], shown["status"], shown["cents"], shown["version"]) == (
        "Jane Doe",
        "placed",
        1600,
        1,
    )
    with pytest.raises(Rejection, match="costs 1600"):
        await orders.send("order", placed.id, PayOrder(1))
    await orders.send("order", placed.id, PayOrder(1600))
    await orders.settled()
    assert orders.document("order", placed.id)["status"] == "paid"
    assert orders.state("order", placed.id) == Order(7, LINES, "paid")
    assert orders.events("order", placed.id) == [OrderPlaced(7, LINES), OrderPaid()]


async def test_a_key_is_carried_out_once(orders):
    first = await orders.send("order", None, PLACE, key="k")
    again = await orders.send("order", None, PLACE, key="k")
    assert (again.id, again.version, again.is_replayed) == (first.id, 1, True)
    with pytest.raises(KeyReused):
        await orders.send("order", None, PlaceOrder(8, LINES), key="k")


async def test_another_version_than_expected_is_refused(orders):
    placed = await orders.send("order", None, PLACE)
    await orders.send("order", placed.id, PayOrder(1600), expected=1)
    with pytest.raises(Rejection, match="has version 2"):
        await orders.send("order", placed.id, ShipOrder("p1"), expected=1)


async def test_an_order_of_nobody_is_refused(orders):
    placed = await orders.send("order", None, PlaceOrder(8, LINES))
    await orders.settled()
    reason = "There is no user 8."
    assert orders.events("order", placed.id) == [OrderPlaced(8, LINES), OrderCancelled(reason)]
    assert orders.document("order", placed.id)["reason"] == reason


@pytest.mark.parametrize("erase", [False, True])
async def test_who_leaves_needs_no_orders(orders, erase):
    kept = await orders.send("order", None, PLACE)
    await orders.send("order", kept.id, PayOrder(1600))
    await orders.send("order", kept.id, ShipOrder("p1"))
    open_ones = [(await orders.send("order", None, PLACE)).id for _ in range(5)]
    await orders.settled()
    orders.delete_user(7, erase=erase)
    await orders.settled()
    cancelled = [OrderPlaced(7, LINES), OrderCancelled("The customer has left.")]
    assert [orders.events("order", id_) for id_ in open_ones] == [cancelled] * 5
    shown = orders.document("order", kept.id)
    assert (shown["status"], shown["customer"]) == ("shipped", None)


async def test_a_new_name_is_shown_once_it_has_changed(orders):
    placed = await orders.send("order", None, PLACE)
    orders.update_user(7, msgspec.structs.replace(JANE, phone="1"))
    await orders.settled()
    assert orders.document("order", placed.id)["version"] == 1
    orders.update_user(7, msgspec.structs.replace(JANE, name=Name(first="Zoe", last="Doe")))
    await orders.settled()
    shown = orders.document("order", placed.id)
    assert (shown["customer"], shown["version"]) == ("Zoe Doe", 2)


async def test_reactions_get_what_has_happened_to_users():
    seen = []

    async def note(happened, reach):
        seen.append((happened.id, happened.version, happened.type, happened.event))

    stages = ("CREATED", "UPDATED", "DELETED", "ERASED")
    async with in_memory(with_reaction(note, kind="user", on=stages), repeat_reactions=False) as opened:
        opened.update_user(7, Profile("a@b"))
        opened.update_user(7, Profile("a@b"))
        opened.update_user(7, Profile("a@b", phone="1"))
        opened.delete_user(7)
        opened.delete_user(7, erase=True)
        await opened.settled()
    assert seen == [
        (7, 1, "CREATED", {"email": "a@b"}),
        (7, 2, "UPDATED", {"phone": "1"}),
        (7, 3, "DELETED", None),
        (7, 4, "ERASED", None),
    ]


@pytest.mark.parametrize(("repeat", "calls"), [(True, 5), (False, 1)])
async def test_what_a_reaction_sends_is_carried_out_once_however_often_it_is_called(repeat, calls):
    begun, answers = [], []

    async def order_more(happened, reach):
        begun.append(happened.id)
        if happened.event.user_id == 7:
            ids = [await reach.send("order", None, PlaceOrder(8, LINES)) for _ in range(3)]
            with pytest.raises(Rejection, match="costs 1600"):
                await reach.send("order", ids[0], PayOrder(len(begun)))
            answers.append(ids)

    async with in_memory(with_reaction(order_more), repeat_reactions=repeat) as opened:
        placed = await opened.send("order", None, PLACE)
        await opened.settled()
        made = [opened.events("order", placed.id + number) for number in range(1, 5)]
        assert made == [[OrderPlaced(8, LINES)]] * 3 + [[]]
        assert set(answers[-1]) == {placed.id + 1, placed.id + 2, placed.id + 3}
        assert begun.count(placed.id) == calls


async def test_a_reaction_that_may_not_be_repeated_is_found_out():
    numbers = iter(range(1, 100))

    async def pay_something(happened, reach):
        if happened.event.user_id == 7:
            await reach.send("order", None, PlaceOrder(1000 + next(numbers), LINES))

    async with in_memory(with_reaction(pay_something)) as opened:
        placed = await opened.send("order", None, PLACE)
        with pytest.raises(
            AssertionError, match=rf"order/try to OrderPlaced of order {placed.id} fails"
        ) as raised:
            await opened.settled()
        assert isinstance(raised.value.__cause__, KeyReused)


async def test_a_reaction_that_fails_is_named_with_its_error():
    async def fail(happened, reach):
        raise ZeroDivisionError

    async with in_memory(with_reaction(fail)) as opened:
        await opened.send("order", None, PLACE)
        with pytest.raises(
            AssertionError, match="order/try to OrderPlaced of order 1001 fails with Zero"
        ) as raised:
            await opened.settled()
        assert isinstance(raised.value.__cause__, ZeroDivisionError)


async def test_a_reaction_that_never_ends_is_named(monkeypatch):
    async def wait(happened, reach):
        await asyncio.Event().wait()

    monkeypatch.setattr(system, "PATIENCE_SECONDS", 0.01)
    async with in_memory(with_reaction(wait)) as opened:
        await opened.send("order", None, PLACE)
        with pytest.raises(AssertionError, match="still to do: The reaction order/try to OrderPlaced"):
            await opened.settled()


async def test_a_document_that_cannot_be_made_is_named():
    broken = replace(ORDERS, document=lambda order, related: {}["name"])
    async with in_memory(broken) as opened:
        opened.users[7] = JANE
        await opened.send("order", None, PLACE)
        with pytest.raises(AssertionError, match=r"order 1001 is not shown at version 1: .*KeyError"):
            await opened.settled()


async def test_an_event_that_cannot_be_stored_is_told_to_whoever_sends():
    listed = replace(ORDERS, decide=lambda command, order: [OrderPlaced(7, list(command.lines))])
    async with in_memory(listed) as opened:
        with pytest.raises(AssertionError, match="does not survive JSON"):
            await opened.send("order", None, PLACE)
        assert opened.state("order", 1001) is None


async def test_what_is_deleted_is_shown_no_more():
    def evolve(order, event):
        return None if isinstance(event, OrderCancelled) else ORDERS.evolve(order, event)

    async with in_memory(replace(ORDERS, evolve=evolve)) as opened:
        opened.users[7] = JANE
        placed = await opened.send("order", None, PLACE)
        await opened.settled()
        deleted = await opened.send("order", placed.id, CancelOrder("no"))
        await opened.settled()
        assert deleted.state is None
        assert opened.state("order", placed.id) is None
        assert opened.document("order", placed.id) is None
        assert opened.events("order", placed.id) == [OrderPlaced(7, LINES), OrderCancelled("no")]
        with pytest.raises(Rejection, match="was deleted"):
            await opened.send("order", placed.id, PayOrder(1600))


async def test_a_kind_that_is_not_there_is_named(orders):
    with pytest.raises(AssertionError, match="There is no 'invoice' here: give its aggregate to `in_memory`"):
        orders.state("invoice", 1)
    with pytest.raises(AssertionError, match="PayOrder is about an order that is there"):
        await orders.send("order", None, PayOrder(1))


async def test_aggregates_that_follow_others_need_them():
    with pytest.raises(UnusableAggregate, match="follows 'invoice'"):
        async with in_memory(with_reaction(ORDERS.reactions[0].do, kind="invoice")):
            pass
