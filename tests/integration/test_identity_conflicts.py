"""MongoDB has somebody else under a user's id: never acknowledged, and an operator's to decide."""

import pytest

from command_line import run_tandem
from waiting import until

JANE = {"email": "jane@example.com", "name": {"first": "Jane", "last": "Doe"}, "dob": {"age": 30}}
LOST = {
    "_id": 1,
    "seed": "run",
    "appId": "instance-9",
    "currentStatus": "SYNCRONIZED",
    "version": 1,
    "email": "lost@example.org",
    "name": {"first": "Lost", "last": "Person"},
    "nat": "IE",
}
#: What `document_of` makes of Jane, as another instance projected it.
JANES_OWN = LOST | {"email": JANE["email"], "name": JANE["name"], "dob": JANE["dob"]}
del JANES_OWN["nat"]


async def post(client, user=JANE) -> int:
    answer = await client.post("/api/v1/user-command?seed=run", json=user)
    assert answer.status_code == 201
    return answer.json()["id"]


async def until_set_aside(system, letters: int = 1) -> None:
    async def is_so() -> bool:
        done = await system.count("select count(*) from prm_user where status = 'SYNCRONIZED'")
        assert done == 0
        return await system.count("select count(*) from prm_user_dead_letter") == letters

    await until(is_so, f"{letters} dead letters")


async def put_in_the_next_ones_place(system, document) -> int:
    """Put it into MongoDB under the id that the next user will get, as a number of the same type."""
    last = await system.postgres.fetchrow("select last_value, is_called from prm_user_id_seq")
    user_id = last["last_value"] + last["is_called"]
    await system.users.insert_one(document | {"_id": type(document["_id"])(user_id)})
    return user_id


async def status_of(system, user_id: int) -> str:
    return await system.postgres.fetchval("select status from prm_user where id = $1", user_id)


async def error_of(client, user_id: int = 1) -> str:
    return (await client.get(f"/api/v1/dead-letters/{user_id}")).json()["error"]


@pytest.mark.parametrize(
    "stored",
    [
        LOST,
        JANES_OWN | {"email": "lost@example.org"},
        JANES_OWN | {"seed": "another run"},
        JANES_OWN | {"nat": "IE"},
        {key: value for key, value in JANES_OWN.items() if key != "dob"},
        LOST | {"version": 2, "seed": "another run"},
        LOST | {"version": 0, "seed": "another run"},
        LOST | {"version": "1"},
        {"_id": 1},
        {"_id": 1.0, "note": "put in by hand"},
    ],
    ids=[
        "somebody else",
        "one field differs",
        "another run",
        "knows more",
        "knows less",
        "a later version",
        "an earlier version",
        "no number as version",
        "no version",
        "another type of id",
    ],
)
async def test_somebody_elses_document_is_neither_acknowledged_nor_touched(
    shared_system, shared_client, stored
):
    client = shared_client
    await shared_system.postgres.execute("delete from prm_user_dead_letter")
    user_id = await put_in_the_next_ones_place(shared_system, stored)
    there = await shared_system.users.find_one({"_id": user_id})
    assert await post(client) == user_id

    async def is_set_aside() -> bool:
        return (await client.get(f"/api/v1/dead-letters/{user_id}")).status_code == 200

    await until(is_set_aside, "set aside")
    assert await status_of(shared_system, user_id) == "CREATED"
    assert await shared_system.users.find_one({"_id": user_id}) == there
    error = await error_of(client, user_id)
    assert error.startswith("identity conflict: ")
    assert f"tandem dead-letters retry {user_id} --replace" in error
    for quoted in ("lost@", "Lost", "jane@", "Jane", "another run"):
        assert quoted not in error
    flow = await client.get("/health/flow")
    assert flow.status_code == 503
    assert "identity conflict" in flow.json()["detail"]


@pytest.mark.parametrize(
    "stored",
    [JANES_OWN, JANES_OWN | {"version": 2, "email": "new@example.com"}],
    ids=["as another instance wrote it", "a later version"],
)
async def test_the_users_own_document_is_a_replay(shared_system, shared_client, stored):
    user_id = await put_in_the_next_ones_place(shared_system, stored)
    there = await shared_system.users.find_one({"_id": user_id})
    assert await post(shared_client) == user_id

    async def is_synchronized() -> bool:
        return await status_of(shared_system, user_id) == "SYNCRONIZED"

    await until(is_synchronized, "synchronized")
    assert await shared_system.users.find_one({"_id": user_id}) == there


async def test_conflicts_do_not_hold_up_the_rest_of_a_batch(system, serve):
    client = (await serve()).client
    await system.users.insert_many([LOST | {"_id": user_id} for user_id in (2, 4)])
    for number in range(5):
        await post(client, JANE | {"email": f"{number}@example.com"})

    async def is_done() -> bool:
        return await system.count("select count(*) from prm_user where status = 'SYNCRONIZED'") == 3

    await until(is_done, "three users synchronized")
    rows = await system.postgres.fetch("select user_id from prm_user_dead_letter order by user_id")
    assert [row["user_id"] for row in rows] == [2, 4]


async def test_the_other_one_is_created_anew_and_then_replaced(system, serve):
    served = await serve()
    client, url = served.client, ("--url", str(served.client.base_url))
    await system.users.insert_one(dict(LOST))
    await post(client)
    await until_set_aside(system)

    code, shown = await run_tandem("dead-letters", "show", "1", *url)
    assert code == 0
    assert "identity conflict" in shown
    assert "--replace" in shown
    # Without --replace it comes back, and nobody was hurt.
    assert (await run_tandem("dead-letters", "retry", "1", *url))[0] == 0
    await until_set_aside(system)
    assert await system.users.find_one() == LOST

    lost = (await client.get("/api/v1/user-query/1")).json()
    anew = await post(client, lost)
    assert await run_tandem("dead-letters", "retry", "1", "--replace", *url) == (
        0,
        "1 user is on its way again.\n",
    )
    await system.until_synchronized(2)
    assert (await client.get("/api/v1/user-query/1")).json()["email"] == JANE["email"]
    assert (await client.get(f"/api/v1/user-query/{anew}")).json()["email"] == LOST["email"]
    assert (await client.get("/health/flow")).status_code == 200
    assert "took the place of document" in served.log.read_text()


async def test_only_the_document_that_was_reported_is_replaced(system, serve):
    served = await serve()
    client = served.client
    await system.users.insert_one(dict(LOST))
    await post(client)
    await until_set_aside(system)
    third = LOST | {"email": "third@example.net"}
    await system.users.replace_one({"_id": 1}, third)
    answer = await client.post("/api/v1/dead-letters/1/replace")
    assert answer.status_code == 409
    assert "tandem dead-letters retry 1" in answer.json()["detail"]
    assert await system.users.find_one() == third

    before = await error_of(client)
    assert (await client.post("/api/v1/dead-letters/1/retry")).status_code == 200
    await until_set_aside(system)
    assert await error_of(client) != before
    assert (await client.post("/api/v1/dead-letters/1/replace")).json() == {"retried": 1}
    await system.until_synchronized(1)
    assert (await system.users.find_one())["email"] == JANE["email"]


@pytest.mark.parametrize("there", [None, JANES_OWN], ids=["nothing", "its own"])
async def test_where_nothing_is_in_the_way_any_more_the_user_simply_goes_on(system, serve, there):
    client = (await serve()).client
    await system.users.insert_one(dict(LOST))
    await post(client)
    await until_set_aside(system)
    await system.users.delete_one({"_id": 1})
    if there is not None:
        await system.users.insert_one(dict(there))
    assert (await client.post("/api/v1/dead-letters/1/replace")).json() == {"retried": 1}
    await system.until_synchronized(1)
    assert await system.users.count_documents({}) == 1


async def test_a_replacement_that_mongodb_refuses_changes_nothing_and_says_why(system, serve):
    client = (await serve()).client
    await system.users.insert_one(dict(LOST))
    await post(client)
    await until_set_aside(system)
    database = system.mongodb.get_default_database()
    await database.command("collMod", "users", validator={"email": {"$ne": JANE["email"]}})
    answer = await client.post("/api/v1/dead-letters/1/replace")
    assert answer.status_code == 409
    assert "DocumentValidationFailure" in answer.json()["detail"]
    assert await system.users.find_one() == LOST
    await until_set_aside(system)


async def test_other_dead_letters_are_not_for_replacing(system, serve):
    served = await serve()
    client = served.client
    assert (await client.post("/api/v1/dead-letters/1/replace")).status_code == 404
    database = system.mongodb.get_default_database()
    await database.command("collMod", "users", validator={"email": {"$ne": JANE["email"]}})
    await post(client)
    await until_set_aside(system)
    answer = await client.post("/api/v1/dead-letters/1/replace")
    assert answer.status_code == 409
    assert "no identity conflict" in answer.json()["detail"]


async def test_all_conflicts_are_replaced_at_once_and_nothing_else_is_retried(system, serve):
    served = await serve()
    client, url = served.client, ("--url", str(served.client.base_url))
    database = system.mongodb.get_default_database()
    await database.command("collMod", "users", validator={"email": {"$not": {"$regex": "^refused"}}})
    await system.users.insert_many([LOST | {"_id": user_id} for user_id in (1, 3)])
    for email in ("a@x", "refused@x", "b@x"):
        await post(client, JANE | {"email": email})
    await until_set_aside(system, 3)
    assert await run_tandem("dead-letters", "retry", "--all", "--replace", *url) == (
        0,
        "2 users are on their way again.\n",
    )

    async def are_done() -> bool:
        return await system.count("select count(*) from prm_user where status = 'SYNCRONIZED'") == 2

    await until(are_done, "two users synchronized")
    assert await system.count("select user_id from prm_user_dead_letter") == 2
