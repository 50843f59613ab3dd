"""A document that shows another aggregate, which shows a user, follows what changes the one it shows."""

from msgspec import Struct
from orders import ORDERS
from orders.order import Line, PayOrder, PlaceOrder

from tandem.aggregates import Aggregate, Id, Profile, Related
from tandem.testing import in_memory
from tandem.user.profile import Name


class Parcel(Struct, frozen=True):
    order_id: Id


class ParcelPacked(Struct, frozen=True):
    order_id: int


PARCELS = Aggregate(
    name="parcel",
    plural="parcels",
    package="",
    state=Parcel,
    creates=Parcel,
    commands={},
    events=[ParcelPacked],
    decide=lambda command, _: [ParcelPacked(command.order_id)],
    evolve=lambda _, event: Parcel(event.order_id),
    document=lambda _, related: {"order": related["order"] and related["order"].status},
    related=[
        Related(
            name="order",
            kind="order",
            id_of=lambda parcel: parcel.order_id,
            lookup="parcels_of_order",
        )
    ],
    lookups={"parcels_of_order": lambda parcel, order_id: parcel.order_id == order_id},
)


async def test_a_document_follows_the_aggregate_that_it_shows():
    async with in_memory(ORDERS, PARCELS) as system:
        system.update_user(7, Profile("jane@example.com", name=Name(first="Jane")))
        order = await system.send("order", None, PlaceOrder(7, (Line("tea", 1, 500),)))
        await system.settled()
        parcel = await system.send("parcel", None, Parcel(order.id))
        await system.settled()
        assert system.document("parcel", parcel.id)["order"] == "placed"
        await system.send("order", order.id, PayOrder(500))
        await system.settled()
        assert system.document("parcel", parcel.id)["order"] == "paid"
        assert system.document("parcel", parcel.id)["version"] == 2
        assert system.events("parcel", parcel.id) == [ParcelPacked(order.id)]


async def test_what_changes_only_the_document_of_the_one_shown_leaves_the_other_as_it_is():
    async with in_memory(ORDERS, PARCELS) as system:
        system.update_user(7, Profile("jane@example.com", name=Name(first="Jane")))
        order = await system.send("order", None, PlaceOrder(7, (Line("tea", 1, 500),)))
        await system.settled()
        parcel = await system.send("parcel", None, Parcel(order.id))
        system.update_user(7, Profile("jane@example.com", name=Name(first="Joan")))
        await system.settled()
        assert system.document("order", order.id)["customer"] == "Joan"
        assert system.document("parcel", parcel.id)["version"] == 1
