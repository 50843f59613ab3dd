"""Orders of users: a second aggregate beside them, and what the two do for each other."""

from collections.abc import Mapping, Sequence
from random import Random
from typing import Any

from msgspec import to_builtins

from orders import order as domain
from orders.order import CancelOrder, Line, Order, OrderPlaced, PayOrder, PlaceOrder, RefuseOrder, ShipOrder
from tandem.aggregates import Aggregate, Happened, Id, Profile, Reach, Reaction, Rejection, Related, Trial


def document(order: Order, related: Mapping[str, Any]) -> dict[str, Any]:
    """An order as readers see it, with the name that its customer has now."""
    customer: Profile | None = related["customer"]
    name = customer and customer.name
    shown: dict[str, Any] = to_builtins(order)
    return shown | {
        "customer": name and " ".join(filter(None, (name.first, name.last))),
        "cents": order.cents,
    }


async def refuse_order_of_nobody(placed: Happened, reach: Reach) -> None:
    """An order for a user that does not exist is refused."""
    user_id = placed.event.user_id
    if not await reach.exists("user", user_id):
        await reach.send("order", placed.id, RefuseOrder(f"There is no user {user_id}."))


async def cancel_orders(gone: Happened, reach: Reach) -> None:
    """Who is deleted or erased needs nothing that was not shipped yet."""
    async for order_id in reach.ids("order", "open_orders_of_user", gone.id):
        try:
            await reach.send("order", order_id, CancelOrder("The customer has left."))
        except Rejection:
            continue  # it was shipped or cancelled just now


def some_order(dice: Random, users: Sequence[int]) -> PlaceOrder:
    lines = (Line(f"article {dice.randrange(1000)}", 1, 500) for _ in range(1 + dice.randrange(3)))
    return PlaceOrder(dice.choice(users), tuple(lines))


def some_change(dice: Random, orders: Sequence[int]) -> Any:
    pay = PayOrder(500 * (1 + dice.randrange(3)))
    return dice.choice(
        (pay, pay, ShipOrder(f"parcel {dice.randrange(10**6)}"), CancelOrder("changed my mind"))
    )


ORDERS = Aggregate(
    name="order",
    plural="orders",
    package="orders",
    state=Order,
    creates=PlaceOrder,
    commands={"pay": PayOrder, "ship": ShipOrder, "cancel": CancelOrder},
    internal=[RefuseOrder],
    events=[OrderPlaced, domain.OrderPaid, domain.OrderShipped, domain.OrderCancelled],
    decide=domain.decide,
    evolve=domain.evolve,
    document=document,
    related=[
        Related(
            name="customer",
            kind="user",
            id_of=lambda order: order.user_id,
            lookup="orders_of_user",
            when=lambda changed: changed.type != "UPDATED" or "name" in changed.event,
        )
    ],
    lookups={
        "orders_of_user": lambda order, user_id: order.user_id == user_id,
        "open_orders_of_user": lambda order, user_id: order.user_id == user_id and order.is_open,
    },
    reactions=[
        Reaction(name="refuse", kind="order", on=["OrderPlaced"], do=refuse_order_of_nobody),
        Reaction(name="cancel", kind="user", on=["DELETED", "ERASED"], do=cancel_orders),
    ],
    listed_by={"userId": Id},
    trial=Trial(create=some_order, change=some_change),
)
