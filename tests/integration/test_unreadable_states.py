"""A stored state that cannot be read, because somebody changed it by SQL, holds up its own user alone."""

import asyncio

import pytest

from command_line import run_tandem
from obstacles import damage
from systems import commands, create, held_before_mongodb
from tandem.app import run_instance
from tandem.cqrs import CreateUserCommand, Idempotency
from tandem.delivery.recovery import MOST_A_CLAIM
from tandem.user import Profile
from waiting import until

SPOILT = {
    "a name of 210 characters": "update prm_user set first_name = repeat('secret ', 30) where id = $1",
    "an address that is none": "update prm_user set email = 'secret' where id = $1",
    "a city that is too long": "update prm_user_location set city = repeat('secret ', 30) where user_id = $1",
    "no user": "delete from prm_user where id = $1",
}


async def leave_behind(system, batch) -> list[int]:
    """Commit users through an instance that dies before it has projected any; their ids."""
    closed = held_before_mongodb(asyncio.Event())
    async with run_instance(system.settings("dead", drain_seconds=0.01), closed) as dying:
        return [user.id for user in await create(dying, batch)]


async def until_letters(system, count: int) -> None:
    async def is_so() -> bool:
        return await system.count("select count(*) from prm_user_dead_letter") == count

    await until(is_so, f"{count} dead letters")


@pytest.mark.parametrize("how", SPOILT)
async def test_one_is_set_aside_and_all_others_arrive(system, serve, how):
    ids = await leave_behind(system, commands(40))
    await system.postgres.execute(SPOILT[how], ids[0])
    client = (await serve("heir")).client
    await until_letters(system, 1)

    async def others_arrived() -> bool:
        return await system.users.count_documents({}) == 39

    await until(others_arrived, "39 documents")
    (letter,) = (await client.get("/api/v1/dead-letters")).json()
    assert letter["userId"] == ids[0]
    assert letter["error"].startswith("cannot be read: ")
    assert "secret" not in letter["error"]
    shown = await client.get(f"/api/v1/dead-letters/{ids[0]}")
    assert shown.status_code == 200
    assert shown.json()["userId"] == ids[0]
    # Sent on its way again as it is, it comes back.
    assert (await client.post("/api/v1/dead-letters/retry")).json() == {"retried": 1}
    await until_letters(system, 1)
    assert (await client.get(f"/api/v1/user-command/{ids[0]}")).status_code in (200, 404, 500)


async def test_a_state_that_is_damaged_on_disk_is_set_aside_and_all_others_arrive(system):
    ids = await leave_behind(system, commands(21))
    await damage(system, "prm_user_event", ids[7])
    async with run_instance(system.settings("heir")):
        await until_letters(system, 1)
        await system.until_synchronized(20)
    letter = await system.postgres.fetchrow("select user_id, error from prm_user_dead_letter")
    assert tuple(letter) == (ids[7], "cannot be read: PostgreSQL says DataCorruptedError")


async def test_once_mended_by_hand_and_retried_it_arrives(system, serve):
    (user_id,) = await leave_behind(system, commands(1))
    await system.postgres.execute(SPOILT["a name of 210 characters"], user_id)
    served = await serve("heir")
    await until_letters(system, 1)
    await system.postgres.execute("update prm_user set first_name = null where id = $1", user_id)
    url = ("--url", str(served.client.base_url))
    code, output = await run_tandem("dead-letters", "retry", str(user_id), *url)
    assert (code, output) == (0, "1 user is on its way again.\n")
    await system.until_synchronized(1)
    assert "first" not in (await system.users.find_one({"_id": user_id}))["name"]


async def test_more_of_them_than_one_claim_takes_hold_up_nobody(system):
    """They have the lowest ids, so they are claimed first."""
    ids = await leave_behind(system, commands(MOST_A_CLAIM + 100))
    spoilt = ids[:MOST_A_CLAIM]
    await system.postgres.execute(
        "update prm_user set email = '7' where id = any($1)",
        spoilt,
    )
    async with run_instance(system.settings("heir")):
        await until_letters(system, MOST_A_CLAIM)
        await system.until_synchronized(100)


async def test_a_key_whose_user_cannot_be_read_is_answered_and_spoils_no_batch(system, instance):
    batch = [
        CreateUserCommand("run", Profile(email=f"{n}@example.com"), Idempotency(f"k-{n}", b""))
        for n in range(10)
    ]
    users = await create(instance, batch)
    await system.until_synchronized(10)
    await system.postgres.execute(
        "update prm_user_event set event_data = '[1, 2]' where user_id = $1", users[3].id
    )
    await system.postgres.execute("delete from prm_user_event where user_id = $1", users[4].id)
    again = await create(instance, batch + commands(5))
    assert [user.id for user in again[:10]] == [user.id for user in users]
    assert again[3].profile.email == "3@example.com"


async def test_history_that_cannot_be_read_is_named_and_not_quoted(system, serve):
    client = (await serve()).client
    created = await client.post("/api/v1/user-command?seed=x", json={"email": "a@example.com"})
    await system.until_synchronized(1)
    user_id = created.json()["id"]
    await system.postgres.execute(
        """update prm_user_event set event_data = '["secret"]' where user_id = $1""", user_id
    )
    answer = await client.get(f"/api/v1/user-command/{user_id}")
    assert answer.status_code == 500
    assert f"User {user_id} cannot be read" in answer.json()["detail"]
    assert "secret" not in answer.text
    assert (await client.get(f"/api/v1/user-query/{user_id}")).status_code == 200
