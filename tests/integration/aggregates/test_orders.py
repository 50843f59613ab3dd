"""Orders beside users in one instance, in real databases."""

import asyncio
from dataclasses import replace

import pytest
from orders import ORDERS
from orders.order import CancelOrder, PayOrder, PlaceOrder, ShipOrder

from placing import LINES, place
from systems import Held, carry_out, commands, create
from tandem.aggregates import Rejection
from tandem.aggregates.messages import Outcome, Sent
from tandem.app import run_instance
from tandem.cqrs import DeleteUserCommand, UpdateUserCommand
from tandem.delivery.idempotency import Idempotency, StillOpen
from waiting import until


async def change(instance, order_id: int, command):
    return await instance.own.flows["order"].execute(Sent(command, id=order_id))


async def until_shows(instance, order_id: int, **fields):
    async def shows() -> bool:
        document = await instance.own.flows["order"].find(order_id)
        return document is not None and all(document[name] == value for name, value in fields.items())

    await until(shows, f"order {order_id} shows {fields}")


async def test_an_order_goes_its_way_beside_users(system, instance):
    [jane] = await create(instance, commands(1))
    order_id = await place(instance, jane.id)
    name = f"{jane.profile.name.first} {jane.profile.name.last}"
    await until_shows(instance, order_id, status="placed", customer=name, cents=1600)
    with pytest.raises(Rejection, match="costs 1600"):
        await change(instance, order_id, PayOrder(1))
    await change(instance, order_id, PayOrder(1600))
    outcome = await change(instance, order_id, ShipOrder("p1"))
    assert outcome.stored.version == 3
    await until_shows(instance, order_id, status="shipped", parcel="p1", version=3)
    with pytest.raises(Rejection, match="is shipped"):
        await change(instance, order_id, CancelOrder("no"))


async def test_an_order_of_nobody_is_refused(instance):
    order_id = await place(instance, 4711)
    await until_shows(instance, order_id, status="cancelled", reason="There is no user 4711.")


async def test_whoever_changes_a_name_changes_it_in_the_orders(system, instance):
    [jane] = await create(instance, commands(1))
    order_id = await place(instance, jane.id)
    await carry_out(instance, UpdateUserCommand(jane.id, {"name": {"first": "Zoe", "last": "Q"}}))
    await until_shows(instance, order_id, customer="Zoe Q", version=2)


async def test_the_open_orders_of_an_erased_user_are_cancelled(system, instance):
    [jane] = await create(instance, commands(1))
    orders = await asyncio.gather(*(place(instance, jane.id) for _ in range(20)))
    await change(instance, orders[0], PayOrder(1600))
    await change(instance, orders[0], ShipOrder("p1"))
    await carry_out(instance, DeleteUserCommand(jane.id, erase=True))
    for order_id in orders[1:]:
        await until_shows(instance, order_id, status="cancelled", customer=None)
    await until_shows(instance, orders[0], status="shipped", customer=None)

    async def nothing_is_left() -> bool:
        tables = ("tandem_reaction", "prm_order_pending", "prm_order_dead_letter")
        return [await system.count(f"select count(*) from {table}") for table in tables] == [0, 0, 0]

    await until(nothing_is_left, "nothing left to do")


async def test_what_a_stopping_instance_cannot_finish_is_finished_by_another(system):
    def without_mongodb(adapters):
        each = adapters.own["order"]
        held = replace(each, documents=Held(each.documents, "write", asyncio.Event()))
        return replace(adapters, own={"order": held})

    settings = system.settings("first", drain_seconds=1)
    async with run_instance(settings, without_mongodb, [ORDERS]) as first:
        order_id = await place(first, 4711)
    assert await system.count("select count(*) from prm_order_pending") == 1
    async with run_instance(system.settings("second"), aggregates=[ORDERS]) as second:
        await until_shows(second, order_id, status="cancelled")


async def test_a_key_of_an_open_transaction_holds_up_its_own_command_alone(system, instance):
    held = "insert into prm_order_key values (sha256('held'), '', 0, 0)"

    def keyed(key: str) -> Sent:
        return Sent(PlaceOrder(4711, LINES), "run", idempotency=Idempotency(key, b""))

    sent = [keyed("held"), *(keyed(f"free-{number}") for number in range(20))]
    flow = instance.own.flows["order"]
    transaction = system.postgres.transaction()
    await transaction.start()
    await system.postgres.execute(held)
    told, *others = await asyncio.gather(*map(flow.execute, sent), return_exceptions=True)
    await transaction.rollback()
    assert isinstance(told, StillOpen)
    assert [type(other) for other in others] == [Outcome] * 20
    assert not (await flow.execute(sent[0])).is_replayed
