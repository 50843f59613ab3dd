"""Documents go to every generation of a projection, are read from the live one, and no flow misses one."""

import asyncio

import msgspec
import pytest

from generations import all_of, follow, owners_row, versions_in
from systems import carry_out, commands, create, held_before_mongodb
from tandem.app import run_instance
from tandem.cqrs import DeleteUserCommand, UpdateUserCommand
from tandem.kernel import UnsuitableServer
from tandem.mongodb.generations import Projection
from tandem.user_query import document
from tandem.user_query.document import document_of
from tandem.user_query.lists import Listed
from waiting import until


async def pending(system) -> int:
    return await system.count("select count(*) from prm_user_pending")


@pytest.fixture
async def building(system, instance):
    """The row of users, whose second generation is announced; this instance follows."""
    async with owners_row(system) as row:
        await row.change("announce", 1)
        await follow(instance)
        await row.change("require")
        yield row


async def test_users_are_written_to_both_generations_and_read_from_the_live_one(system, instance, building):
    users = await create(instance, commands(3))
    await system.until_synchronized(3)
    changed = await carry_out(instance, UpdateUserCommand(users[0].id, {"phone": "1"}))
    await carry_out(instance, DeleteUserCommand(users[1].id))
    await until(lambda: _none_pending(system), "nothing pending")
    expected = {users[0].id: (2, False), users[1].id: (2, True), users[2].id: (1, False)}
    assert await versions_in(system, "users") == expected
    assert await versions_in(system, "users_v2") == expected
    await all_of(system, "users").delete_one({"_id": changed.id})
    assert await instance.flow.query_service.find(changed.id) is None
    await building.change("switch", "building")
    await follow(instance)
    assert await instance.flow.query_service.find(changed.id) == document_of(changed)


async def _none_pending(system) -> bool:
    return await pending(system) == 0


@pytest.mark.parametrize("refusing", ["users", "users_v2"])
async def test_a_user_that_either_generation_refuses_is_no_ended_flow(system, instance, building, refusing):
    await create(instance, commands(1, "before"))
    await until(lambda: _none_pending(system), "both collections are there")
    await system.mongodb.get_default_database().command(
        {"collMod": refusing, "validator": {"email": {"$ne": "refused@example.com"}}}
    )
    refused, *others = commands(2)
    profile = msgspec.structs.replace(refused.profile, email="refused@example.com")
    users = await create(instance, [msgspec.structs.replace(refused, profile=profile), *others])
    await until(lambda: _none_pending(system), "nothing pending")
    letters = await system.postgres.fetch("select user_id from prm_user_dead_letter")
    assert [row["user_id"] for row in letters] == [users[0].id]
    assert users[1].id in await versions_in(system, refusing)


async def test_an_instance_that_has_not_heard_of_a_generation_ends_no_flow(system):
    gate = asyncio.Event()
    async with (
        owners_row(system) as row,
        run_instance(system.settings(), held_before_mongodb(gate)) as instance,
    ):
        (user,) = await create(instance, commands(1))
        await until(lambda: _is_in_projection(instance), "the batch has begun")
        await row.change("announce", 1)
        await row.change("require")
        gate.set()
        await until(lambda: _is_in(system, "users", user.id), "it is in the first generation")
        await until(lambda: _is_in(system, "users_v2", user.id), "recovery brings it to the second one")
        await system.until_synchronized(1)
        events = "select count(*) from prm_user_event where event_type = 'SYNCRONIZED'"
        assert await system.count(events) == 1


async def test_a_write_back_from_before_the_required_epoch_changes_nothing(system, instance):
    endings = instance.adapters.users._endings
    gate = asyncio.Event()
    async with (
        owners_row(system) as row,
        run_instance(system.settings("other"), held_before_mongodb(gate)) as other,
    ):
        (user,) = await create(other, commands(1))
        epoch = (await row.change("announce", 1)).projection.epoch
        await row.change("require")
        assert await endings.synchronize([(user.id, 1)], epoch - 1) == []
        assert await pending(system) == 1
        assert len(await endings.synchronize([(user.id, 1)], epoch)) == 1
        gate.set()


async def _is_in(system, name, user_id) -> bool:
    return user_id in await versions_in(system, name)


async def _is_in_projection(instance) -> bool:
    return bool(instance.flow.projection.in_flight())


async def test_who_has_no_lease_any_more_asks_mongodb_which_collection_is_live(system, instance, building):
    (user,) = await create(instance, commands(1))
    await system.until_synchronized(1)
    await building.change("switch", "building")
    await building.change("remove")
    await building.write_copy()
    await all_of(system, "users").drop()
    service, collections = instance.flow.query_service, instance.adapters.projections.collections["user"]
    # As of before the switch, like an instance that was frozen.
    collections.projection = Projection()
    collections.is_current = lambda: False
    assert await service.find(user.id) == document_of(user)
    assert await service.lists.short(Listed(10, 0)) != b"[]"
    assert collections.live.name == "users_v2"


async def test_each_generation_has_its_own_shape(system, instance, monkeypatch):
    monkeypatch.setitem(document.SHAPES, 2, lambda user: {**document.SHAPES[1](user), "shape": "two"})
    async with owners_row(system) as row:
        await row.change("announce", 2)
        await follow(instance)
        (user,) = await create(instance, commands(1))
        await system.until_synchronized(1)
        assert "shape" not in (await all_of(system, "users").find_one({"_id": user.id}))
        assert (await all_of(system, "users_v2").find_one({"_id": user.id}))["shape"] == "two"
        assert "shape" not in instance.flow.query_service.shown(user)


async def test_a_program_does_not_serve_a_shape_that_it_does_not_know(system, instance):
    async with owners_row(system) as row:
        await row.change("announce", 2)
        await follow(instance)
        assert "does not know shape 2 of users" in instance.why_not_ready
        with pytest.raises(UnsuitableServer, match="does not know shape 2 of users"):
            async with run_instance(system.settings("older")):
                pytest.fail("it has started")
        await row.change("remove")
        await follow(instance)
        assert instance.why_not_ready is None


async def test_who_has_heard_of_a_later_epoch_does_not_answer_by_the_one_before(system, instance):
    lease = instance.adapters.lease
    assert lease.is_current
    async with owners_row(system) as row:
        await row.change("announce", 1)
        await lease.renew(0, {}, {}, ready=True)
        assert not lease.is_current
        await follow(instance)
        assert lease.is_current


async def test_a_restored_postgresql_decides_even_though_mongodbs_copy_has_a_later_epoch(system, instance):
    collections = instance.adapters.projections.collections["user"]
    async with owners_row(system) as row:
        await row.change("announce", 1)
        await row.change("require")
        await row.change("switch", "building")
        await row.write_copy()
        await follow(instance)
        assert collections.live.name == "users_v2"
        await system.postgres.execute("delete from tandem_projection")
        await follow(instance)
        assert collections.live.name == "users"
        await row.change("announce", 1)
        await follow(instance)
        assert collections.names == ["users", "users_v2"]
        await row.until_followed(pytest.fail)
