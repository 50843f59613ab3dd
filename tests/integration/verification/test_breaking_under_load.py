"""Both stores are broken by hand while everything goes on: exactly that is found and healed."""

import asyncio
from contextlib import asynccontextmanager

from bson import ObjectId

from systems import carry_out, commands, create
from tandem.cqrs import DeleteUserCommand, UpdateUserCommand
from verifying import ask_for_repairs, until_repaired, verified


@asynccontextmanager
async def load(instance, users):
    """Updates of these users, and new ones of which some are deleted, until the end."""
    stop = asyncio.Event()

    async def change(turn: int) -> None:
        number = 0
        while not stop.is_set():
            number += 1
            for user in users[turn::3]:
                await carry_out(instance, UpdateUserCommand(user.id, {"cell": str(number)}))
            fresh = await create(instance, commands(15, f"load {turn}"))
            for user in fresh[:3]:
                await carry_out(instance, DeleteUserCommand(user.id))

    tasks = [asyncio.create_task(change(turn)) for turn in range(3)]
    yield
    stop.set()
    await asyncio.gather(*tasks)


async def test_exactly_what_was_broken_is_found_and_healed_while_everything_goes_on(system, instance):
    victims = [user.id for user in sorted(await create(instance, commands(60)), key=lambda user: user.id)]
    busy = await create(instance, commands(60, "busy"))
    await system.until_synchronized(120)
    whole = {one["_id"]: one async for one in system.users.find({"_id": {"$in": victims}})}
    async with load(instance, busy):
        deleted, changed, doubled, old, no_row, altered = (victims[first::6] for first in range(6))
        strange = ["text", ObjectId(), 0.5, -1]
        await system.users.delete_many({"_id": {"$in": deleted}})
        await system.users.update_many({"_id": {"$in": changed}}, {"$set": {"email": "eve@example.org"}})
        copies = [whole[id_] | {"_id": 10**9 + id_} for id_ in doubled]
        await system.users.insert_many([*copies, *({"_id": id_} for id_ in strange)])
        await system.users.update_many({"_id": {"$in": old}}, {"$set": {"version": 0}})
        await system.postgres.execute("delete from prm_user where id = any ($1)", no_row)
        await system.postgres.execute("update prm_user set phone = '5' where id = any ($1)", altered)
        tally, found = await verified(system)
        by_what = {}
        for each in found.values():
            by_what.setdefault(each.what.value, set()).add(each.id)
        surplus = {str(id_) for id_ in [*no_row, *(10**9 + id_ for id_ in doubled)]}
        assert by_what.pop("surplus") >= surplus
        assert tally.differences["surplus"] == len(surplus) + len(strange)
        assert by_what == {
            "missing": {str(id_) for id_ in deleted},
            "stale": {str(id_) for id_ in old},
            "differing": {str(id_) for id_ in [*changed, *altered]},
        }

        repairs = instance.adapters.repairs

        await ask_for_repairs(system, repairs)
        await until_repaired(repairs)
        assert (await verified(system))[1] == {}
    healed = {one["_id"]: one async for one in system.users.find({"_id": {"$in": victims}})}
    phones = {id_: {"phone": "5"} for id_ in altered}
    wanted = {id_: one | phones.get(id_, {}) for id_, one in whole.items() if id_ not in no_row}
    assert healed == wanted
    assert len(await repairs.last(1_000)) == len(found)
