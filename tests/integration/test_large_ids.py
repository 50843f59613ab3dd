"""Ids up to the last one, 2^53 - 1, on every interface; and what happens when there is none left."""

import json

import msgspec
import pytest

from command_line import run_tandem
from tandem.user_query.controller import FoundUsers
from tandem.user_query.fields import UserDocument
from waiting import until

HIGHEST_ID = 2**53 - 1


async def give_ids_after(system, last: int) -> None:
    """Let the next user get the id `last + 1`."""
    await system.postgres.execute("select setval('prm_user_id_seq', $1)", last)
    await system.postgres.execute("select tandem_extend_log()")


async def post(client, email: str, **headers: str):
    path = "/api/v1/user-command?seed=large"
    return await client.post(
        path, json={"email": email}, headers={k.replace("_", "-"): v for k, v in headers.items()}
    )


async def is_ready(client) -> bool:
    return (await client.get("/health/ready")).status_code == 200


@pytest.mark.parametrize("last", [2**31 - 2, 2**31 - 1, 2**32 - 1, HIGHEST_ID - 2])
async def test_every_interface_takes_and_gives_large_ids(system, serve, last):
    served = await serve()
    client = served.client
    await give_ids_after(system, last)
    ids = [(await post(client, f"{number}@example.com")).json()["id"] for number in range(2)]
    assert ids == [last + 1, last + 2]
    await system.until_synchronized(2)
    first, second = ids

    async def get(path: str, type_=None):
        answer = await client.get(path)
        assert answer.status_code == 200, answer.text
        return answer.json() if type_ is None else msgspec.json.decode(answer.content, type=type_)

    query = "/api/v1/user-query"
    assert (await get(f"{query}/{second}", UserDocument)).user_id == second
    assert (await get(f"{query}/email?email=1@example.com", UserDocument)).user_id == second
    assert [user.user_id for user in await get(query, list[UserDocument])] == ids
    assert [user.user_id for user in await get(f"{query}?limit=1000", list[UserDocument])] == ids
    assert [user.user_id for user in await get(f"{query}?after={first}", list[UserDocument])] == [second]
    assert await get(f"{query}?after={second}&seed=large", list[UserDocument]) == []
    found = await get(f"{query}/search?seed=large&limit=1", FoundUsers)
    assert ([user.user_id for user in found.users], found.next) == ([first], first)
    found = await get(f"{query}/search?email=example&after={first}", FoundUsers)
    assert [user.user_id for user in found.users] == [second]
    assert (await get(f"/api/v1/user-command/{second}"))["id"] == second
    assert (await get("/api/v1/stats?seed=large"))[0]["synchronized"] == 2
    assert (await get("/api/v1/runs"))["runs"][0]["total"] == 2
    async with client.stream("GET", "/api/v1/live?seed=large") as stream:
        async for line in stream.aiter_lines():
            if line.startswith("data: "):
                assert json.loads(line.removeprefix("data: "))["seed"] == "large"
                break


async def test_dead_letters_have_large_ids(system, serve):
    served = await serve()
    client, url = served.client, ("--url", str(served.client.base_url))
    database = system.mongodb.get_default_database()
    await database.command("collMod", "users", validator={"email": {"$ne": "refused@example.com"}})
    await give_ids_after(system, HIGHEST_ID - 1)
    await post(client, "refused@example.com")

    async def is_set_aside() -> bool:
        return await system.count("select count(*) from prm_user_dead_letter") == 1

    await until(is_set_aside, "one dead letter")
    assert str(HIGHEST_ID) in (await run_tandem("dead-letters", "list", *url, COLUMNS="200"))[1]
    assert (await run_tandem("dead-letters", "show", str(HIGHEST_ID), *url))[0] == 0
    assert (await client.get(f"/api/v1/dead-letters?after={HIGHEST_ID - 1}")).json()[0][
        "userId"
    ] == HIGHEST_ID
    await database.command("collMod", "users", validator={})
    assert (await run_tandem("dead-letters", "retry", str(HIGHEST_ID), *url))[0] == 0
    await system.until_synchronized(1)


async def test_when_ids_are_used_up_users_are_refused_and_the_instance_is_not_ready(system, serve):
    client = (await serve()).client
    await give_ids_after(system, HIGHEST_ID - 1)
    created = await post(client, "last@example.com", Idempotency_Key="the-last")
    assert created.json()["id"] == HIGHEST_ID
    for number in range(2):
        refused = await post(client, f"{number}@example.com", Idempotency_Key=f"key-{number}")
        assert refused.status_code == 507
        assert "prm_user_id_seq" in refused.json()["detail"]
    ready = await client.get("/health/ready")
    assert ready.status_code == 503
    assert "ids are used up" in ready.json()["detail"]
    # What was created before is answered as before, and read.
    again = await post(client, "last@example.com", Idempotency_Key="the-last")
    assert (again.status_code, again.json()["id"]) == (201, HIGHEST_ID)
    await system.until_synchronized(1)
    assert (await client.get(f"/api/v1/user-query/{HIGHEST_ID}")).status_code == 200

    await give_ids_after(system, 1000)
    await until(lambda: is_ready(client), "ready again")
    assert (await post(client, "0@example.com", Idempotency_Key="key-0")).json()["id"] == 1001
