"""What differs is healed by the flow, exactly that, and recorded with the reason."""

import asyncio
from datetime import timedelta

from bson import ObjectId
from orders import ORDERS

from placing import place, until_no_order_is_pending
from systems import carry_out, commands, create, open_system
from tandem.app import run_instance
from tandem.cqrs import DeleteUserCommand, UpdateUserCommand
from tandem.verification.differences import What
from tandem.verification.repairs import RepairRows
from tandem.verification.verifier import Verifier
from verifying import ask_for_repairs, kinds_of, until_repaired, verified
from waiting import until


async def counts(system):
    return await system.postgres.fetchrow(
        "select sum(total) as total, sum(synchronized) as synchronized, sum(updated) as updated, "
        "sum(deleted) as deleted, sum(dead_letters) as dead, "
        "(select sum(users) from prm_user_lag) as lags, (select count(*) from prm_user_event) as events "
        "from prm_user_count"
    )


async def test_every_kind_is_healed_without_events_lags_or_counts(system, instance):
    users = await create(instance, commands(10))
    await system.until_synchronized(10)
    ids = sorted(user.id for user in users)
    await carry_out(instance, UpdateUserCommand(ids[2], {"gender": "x"}))
    await carry_out(instance, DeleteUserCommand(ids[3]))
    await system.until_synchronized(9)
    before = {one["_id"]: one async for one in system.users.find()}
    were = await counts(system)
    await system.users.delete_one({"_id": ids[0]})
    await system.users.update_one({"_id": ids[1]}, {"$set": {"name.first": "Eve", "seed": "other"}})
    await system.users.update_one({"_id": ids[2]}, {"$set": {"version": 1, "gender": "y"}})
    await system.users.update_one({"_id": ids[3]}, {"$unset": {"deletedAt": 1}})
    await system.users.update_one({"_id": ids[4]}, {"$set": {"version": 99}})
    await system.users.update_one({"_id": ids[5]}, {"$unset": {"version": 1}})
    await system.users.insert_many([{"_id": 10**6, "a": 1}, {"_id": "text"}, {"_id": ObjectId()}])
    await ask_for_repairs(system, instance.adapters.repairs)
    await until_repaired(instance.adapters.repairs)
    after = {one["_id"]: one async for one in system.users.find()}
    assert {id_: one for id_, one in after.items() if id_ != ids[3]} == {
        id_: one for id_, one in before.items() if id_ != ids[3]
    }
    assert (await verified(system))[1] == {}
    assert await counts(system) == were
    assert await system.count("select count(*) from prm_user_pending") == 0


async def test_a_repair_is_recorded_with_the_reason_and_the_document_that_was_removed(system, instance):
    (user,) = await create(instance, commands(1))
    await system.until_synchronized(1)
    await system.users.update_one({"_id": user.id}, {"$set": {"email": "e@e.org", "cell": "5"}})
    await system.users.insert_one({"_id": "text", "a": 1.5})
    rows = instance.adapters.repairs
    await ask_for_repairs(system, rows)
    await until_repaired(rows)
    surplus, differing = sorted(await rows.last(10, with_documents=True), key=lambda one: one.what)[::-1]
    assert (differing.id, differing.what, differing.fields) == (str(user.id), "differing", ["email", "cell"])
    assert (differing.reason, differing.version, differing.document) == ("the test", 1, None)
    assert (surplus.id, surplus.what) == ('"text"', "surplus")
    assert surplus.document == '{"_id": "text", "a": {"$numberDouble": "1.5"}}'
    assert None not in (surplus.repaired_at, differing.repaired_at)
    assert [one.document for one in await rows.last(10)] == [None, None]


async def test_removed_documents_are_forgotten_after_a_month(system, instance):
    insert = (
        "insert into tandem_repair (kind, id, what, fields, reason, repaired_at, document) "
        "values ('user', $1, 'surplus', '{}', 'test', now() - $2::interval, '{}')"
    )
    await system.postgres.execute(insert, '"old"', timedelta(31))
    await system.postgres.execute(insert, '"new"', timedelta(29))
    await instance.adapters.repairs.forget_documents()
    left = await system.postgres.fetch("select id from tandem_repair where document is not null")
    assert [row["id"] for row in left] == ['"new"']


async def test_what_a_lost_history_gave_is_left_alone(system, instance):
    await system.users.insert_many([{"_id": 5_000}, {"_id": 6_000}])
    await ask_for_repairs(system, instance.adapters.repairs, gaps=[(4_000, 5_500)])
    await until_repaired(instance.adapters.repairs)
    assert [one["_id"] async for one in system.users.find()] == [5_000]


async def test_an_update_meanwhile_is_neither_lost_nor_counted_twice(system, instance):
    users = await create(instance, commands(40))
    await system.until_synchronized(40)
    await system.users.update_many({}, {"$set": {"gender": "wrong"}})

    async def update(user) -> None:
        await carry_out(instance, UpdateUserCommand(user.id, {"gender": "new"}))

    await ask_for_repairs(system, instance.adapters.repairs)
    await asyncio.gather(*map(update, users[:20]))
    await until_repaired(instance.adapters.repairs)
    await system.until_synchronized(40)
    assert (await verified(system))[1] == {}
    of_now = await counts(system)
    assert (of_now["synchronized"], of_now["updated"], of_now["lags"]) == (40, 20, 60)


async def test_repairs_that_were_asked_for_are_done_by_whoever_comes(system):
    async with run_instance(system.settings()) as instance:
        await create(instance, commands(3))
        await system.until_synchronized(3)
    await system.users.delete_many({})
    async with kinds_of(system) as kinds:
        rows = RepairRows(kinds["user"].source._database)

        async def found(differences) -> None:
            await rows.ask_for(differences, "the test")

        await Verifier(kinds["user"], found).verify()
        await Verifier(kinds["user"], found).verify()
        assert (await rows.open(["user", "order"]))[0] == 3
    async with run_instance(system.settings("instance-2")) as other:
        await until_repaired(other.adapters.repairs)
        assert (await verified(system))[1] == {}


async def test_orders_are_repaired_as_users_are(databases):
    async with (
        open_system(databases, [ORDERS]) as shop,
        run_instance(shop.settings(), aggregates=[ORDERS]) as instance,
    ):
        (jane,) = await create(instance, commands(1))
        ids = [await place(instance, jane.id) for _ in range(3)]
        await until_no_order_is_pending(shop)
        orders = shop.mongodb.get_default_database()["orders"]
        before = await orders.find().sort("_id").to_list()
        await orders.update_one({"_id": ids[0]}, {"$set": {"status": "shipped", "createdAt": "then"}})
        await orders.delete_one({"_id": ids[1]})
        await orders.insert_one({"_id": 10**6})
        await ask_for_repairs(shop, instance.adapters.repairs, [ORDERS], "order")
        await until_repaired(instance.adapters.repairs)
        assert await orders.find().sort("_id").to_list() == before
        assert (await verified(shop, [ORDERS], "order"))[0].differences == {}


async def test_what_cannot_be_read_stays_to_be_done_and_says_why(system, instance):
    (user,) = await create(instance, commands(1))
    await system.until_synchronized(1)
    await system.postgres.execute("update prm_user set email = 'nothing' where id = $1", user.id)
    rows = instance.adapters.repairs
    await ask_for_repairs(system, rows)

    async def says_why() -> bool:
        (one,) = await rows.last(1)
        return one.what == What.DIFFERING and "cannot be read" in (one.error or "")

    await until(says_why, "the reason")
    assert (await rows.open(["user", "order"]))[0] == 1
