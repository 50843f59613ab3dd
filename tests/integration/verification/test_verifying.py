"""What verification finds in stores that somebody has changed behind the service's back, and what not."""

import asyncio
from datetime import UTC, datetime

from bson import Decimal128, Int64, ObjectId
from orders import ORDERS

from placing import place, until_no_order_is_pending
from systems import carry_out, commands, create, open_system
from tandem.app import run_instance
from tandem.cqrs import DeleteUserCommand, UpdateUserCommand
from tandem.verification.differences import What
from verifying import verified
from waiting import until


async def test_stores_that_nobody_touched_are_equal(system, instance):
    users = await create(instance, commands(60))
    await carry_out(instance, UpdateUserCommand(users[0].id, {"gender": "x"}))
    await carry_out(instance, DeleteUserCommand(users[1].id))
    await carry_out(instance, DeleteUserCommand(users[2].id, erase=True))
    await system.until_synchronized(58)
    tally, found = await verified(system)
    assert found == {}
    assert (tally.checked, tally.equal, tally.is_equal) == (60, 60, True)


async def test_each_kind_of_difference_is_found_with_what_differs(system, instance):
    users = await create(instance, commands(10))
    await system.until_synchronized(10)
    ids = sorted(user.id for user in users)
    await carry_out(instance, UpdateUserCommand(ids[3], {"gender": "x"}))
    await until(lambda: has(system, ids[3], version=2), "the update in MongoDB")
    await system.users.delete_one({"_id": ids[0]})
    await system.users.update_one({"_id": ids[1]}, {"$set": {"name.first": "Eve"}})
    await system.users.update_one({"_id": ids[2]}, {"$unset": {"email": 1}, "$set": {"more": 1}})
    await system.users.update_one({"_id": ids[3]}, {"$set": {"version": 1}})
    await system.users.update_one({"_id": ids[4]}, {"$set": {"deletedAt": datetime.now(UTC)}})
    await system.postgres.execute("update prm_user_login set username = 'eve' where user_id = $1", ids[5])
    await system.postgres.execute("delete from prm_user where id = $1", ids[6])
    await system.users.update_one({"_id": ids[7]}, {"$set": {"version": 1.0}})
    await system.users.update_one({"_id": ids[8]}, {"$set": {"appId": "other"}})
    tally, found = await verified(system)
    assert {id_: (each.what, each.fields) for id_, each in found.items()} == {
        str(ids[0]): (What.MISSING, ()),
        str(ids[1]): (What.DIFFERING, ("name.first",)),
        str(ids[2]): (What.DIFFERING, ("email", "more")),
        str(ids[3]): (What.STALE, ("version",)),
        str(ids[4]): (What.DIFFERING, ("deletedAt",)),
        str(ids[5]): (What.DIFFERING, ("login.username",)),
        str(ids[6]): (What.SURPLUS, ()),
        str(ids[7]): (What.STALE, ("version",)),
        str(ids[8]): (What.DIFFERING, ("appId",)),
    }
    assert (tally.checked, tally.equal, tally.pending) == (10, 1, 0)
    assert tally.differences == {What.MISSING: 1, What.DIFFERING: 5, What.STALE: 2, What.SURPLUS: 1}


async def has(system, id_, **fields) -> bool:
    return await system.users.count_documents({"_id": id_, **fields}) == 1


async def test_documents_under_ids_of_any_type_are_surplus(system, instance):
    users = await create(instance, commands(3))
    await system.until_synchronized(3)
    lowest = min(user.id for user in users)
    strange = ["text", ObjectId("0" * 24), 0, -7, lowest + 0.5, Decimal128("9.25"), 2**53, Int64(2**60), True]
    strange += [
        {"a": 1},
        datetime(2020, 1, 1, tzinfo=UTC),
        b"\0\1",
        float("nan"),
        float("inf"),
        None,
        2**53 - 1,
        Decimal128("900000"),
    ]
    await system.users.insert_many([{"_id": id_, "seed": "run", "version": 1} for id_ in strange])
    tally, found = await verified(system)
    assert {each.what for each in found.values()} == {What.SURPLUS}
    assert len(found) == len(strange) == tally.differences[What.SURPLUS]
    assert tally.equal == 3
    assert {"0", "-7", '"text"', str(2**53 - 1)} <= found.keys()


async def test_thousands_of_surplus_documents_in_one_gap_are_all_found(system, instance):
    await create(instance, commands(1))
    await system.until_synchronized(1)
    await system.users.insert_many([{"_id": 1_000 + number} for number in range(4_500)])
    tally, found = await verified(system)
    assert tally.differences == {What.SURPLUS: 4_500}
    assert len(found) == 4_500


async def test_a_run_is_verified_alone(system, instance):
    theirs = await create(instance, commands(5, "theirs"))
    ours = await create(instance, commands(3, "ours"))
    await system.until_synchronized(8)
    await system.users.delete_many({"_id": {"$in": [theirs[0].id, ours[0].id]}})
    await system.users.insert_one({"_id": 10**6, "seed": "theirs"})
    await system.users.update_one({"_id": ours[1].id}, {"$set": {"seed": "theirs"}})
    tally, found = await verified(system, seed="ours")
    assert {id_: (each.what, each.fields) for id_, each in found.items()} == {
        str(ours[0].id): (What.MISSING, ()),
        str(ours[1].id): (What.DIFFERING, ("seed",)),
    }
    assert (tally.checked, tally.equal) == (3, 1)


async def test_what_a_lost_history_gave_is_told_apart(system, instance):
    await create(instance, commands(1))
    await system.until_synchronized(1)
    await system.users.insert_many([{"_id": 5_000}, {"_id": 6_000}])
    tally, _ = await verified(system, gaps=[(4_000, 5_500)])
    assert tally.differences == {What.LOST: 1, What.SURPLUS: 1}


async def test_what_cannot_be_read_differs_and_a_dead_letter_is_set_aside(system, instance):
    first, second = await create(instance, commands(2))
    await system.until_synchronized(2)
    await system.postgres.execute("update prm_user set email = 'nothing' where id = $1", first.id)
    letter = "insert into prm_user_dead_letter values ($1, 1, 'refused', 'i', now())"
    await system.postgres.execute(letter, second.id)
    await system.users.delete_one({"_id": second.id})
    tally, found = await verified(system)
    assert "cannot be read: " in found[str(first.id)].why_unreadable
    assert (tally.set_aside, tally.differences) == (1, {What.DIFFERING: 1})
    assert not tally.is_equal


async def test_what_never_settles_is_pending_and_no_difference(system, instance):
    (user,) = await create(instance, commands(1))
    await system.until_synchronized(1)
    pending = "insert into prm_user_pending values ($1, 1, $2, now() + '1 h')"
    await system.postgres.execute(pending, user.id, instance.adapters.lease.incarnation)
    await system.users.delete_one({"_id": user.id})
    tally, found = await verified(system)
    assert (found, tally.pending, tally.is_equal) == ({}, 1, True)


async def test_nothing_is_found_while_commands_updates_and_deletes_go_on(system, instance):
    users = await create(instance, commands(300))
    stop = asyncio.Event()

    async def load(turn: int) -> None:
        while not stop.is_set():
            for user in users[turn::4]:
                await carry_out(instance, UpdateUserCommand(user.id, {"gender": str(stop)[-9:]}))
                await carry_out(instance, UpdateUserCommand(user.id, {"gender": None}))
            fresh = await create(instance, commands(20, f"load {turn}"))
            await carry_out(instance, DeleteUserCommand(fresh[0].id))

    loads = [asyncio.create_task(load(turn)) for turn in range(4)]
    for _ in range(8):
        tally, found = await verified(system)
        assert found == {}
        assert tally.checked >= 300
        assert tally.checked == tally.equal + tally.pending
    stop.set()
    await asyncio.gather(*loads)


async def test_orders_are_verified_but_for_the_name_of_their_customer(databases):
    async with (
        open_system(databases, [ORDERS]) as shop,
        run_instance(shop.settings(), aggregates=[ORDERS]) as instance,
    ):
        (jane,) = await create(instance, commands(1))
        placed = [await place(instance, jane.id) for _ in range(5)]
        await until_no_order_is_pending(shop)
        orders = shop.mongodb.get_default_database()["orders"]
        assert (await verified(shop, [ORDERS], "order"))[1] == {}
        await orders.update_one({"_id": placed[0]}, {"$set": {"customer": "as it was then"}})
        await orders.update_one({"_id": placed[1]}, {"$set": {"status": "shipped"}})
        await orders.delete_one({"_id": placed[2]})
        await orders.insert_one({"_id": 10**6})
        tally, found = await verified(shop, [ORDERS], "order")
    assert {id_: (each.what, each.fields) for id_, each in found.items()} == {
        str(placed[1]): (What.DIFFERING, ("status",)),
        str(placed[2]): (What.MISSING, ()),
        str(10**6): (What.SURPLUS, ()),
    }
    assert tally.equal == 3
