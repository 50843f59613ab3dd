"""Orders without a server: what follows from what, and what orders and users do for each other."""

from orders import ORDERS
from orders.order import (
    CancelOrder,
    Line,
    OrderCancelled,
    OrderPaid,
    OrderPlaced,
    PayOrder,
    PlaceOrder,
    ShipOrder,
)

from tandem.aggregates import Profile
from tandem.testing import in_memory, scenario

LINES = (Line("tea", 2, 350), Line("cup", 1, 900))
PLACED = OrderPlaced(7, LINES)


def test_an_order_is_paid_to_the_cent_before_it_is_shipped() -> None:
    placed = scenario(ORDERS).given(PLACED)
    placed.when(PayOrder(1600)).then(OrderPaid())
    placed.when(PayOrder(1599)).then_rejected("costs 1600 cents")
    placed.when(ShipOrder("p1")).then_rejected("is placed")
    scenario(ORDERS).given(PLACED, OrderPaid()).when(CancelOrder("no")).then(OrderCancelled("no"))


async def test_an_order_of_nobody_is_refused() -> None:
    async with in_memory(ORDERS) as system:
        order = await system.send("order", None, PlaceOrder(7, LINES))
        await system.settled()
        assert system.document("order", order.id)["reason"] == "There is no user 7."


async def test_whoever_leaves_gets_nothing_more() -> None:
    async with in_memory(ORDERS) as system:
        system.users[7] = Profile("jane@example.com")
        order = await system.send("order", None, PlaceOrder(7, LINES))
        await system.settled()
        system.delete_user(7)
        await system.settled()
        assert system.document("order", order.id)["status"] == "cancelled"
