"""What MongoDB refuses for good is set aside and can be retried; the rest goes on."""

import msgspec
import pytest

from command_line import run_tandem
from systems import commands, create, statistics
from waiting import until

VALIDATOR = {"email": {"$not": {"$regex": "^refused"}}}


async def refuse_some(system) -> None:
    """Let MongoDB refuse every document whose address begins with `refused`."""
    await system.mongodb.get_default_database().command("collMod", "users", validator=VALIDATOR)


async def accept_all(system) -> None:
    await system.mongodb.get_default_database().command("collMod", "users", validator={})


async def letters(system) -> int:
    return await system.count("select count(*) from prm_user_dead_letter")


async def test_one_refused_document_in_a_batch_of_500_is_set_aside_and_499_arrive(system, instance):
    await refuse_some(system)
    batch = commands(500)
    bad = msgspec.structs.replace(batch[250].profile, email="refused@example.com")
    batch[250] = msgspec.structs.replace(batch[250], profile=bad)
    users = await create(instance, batch)

    async def is_set_aside() -> bool:
        return await letters(system) == 1

    await until(is_set_aside, "one dead letter")
    await system.until_synchronized(499)
    letter = await system.postgres.fetchrow("select * from prm_user_dead_letter")
    assert letter["user_id"] == users[250].id
    assert "121" in letter["error"]
    (row,) = await statistics(instance)
    assert (row.total, row.synchronized, row.pending, row.dead_letters) == (500, 499, 0, 1)
    assert await system.users.count_documents({}) == 499


async def test_a_retried_dead_letter_arrives_once_mongodb_takes_it(system, serve):
    served = await serve()
    client = served.client
    await refuse_some(system)
    for number in range(3):
        await client.post("/api/v1/user-command?seed=dead", json={"email": f"refused{number}@example.com"})

    async def are_set_aside() -> bool:
        return await letters(system) == 3

    await until(are_set_aside, "three dead letters")
    flow = await client.get("/health/flow")
    assert flow.status_code == 503
    assert "3 dead letters" in flow.json()["detail"]
    listed = (await client.get("/api/v1/dead-letters")).json()
    assert [letter["seed"] for letter in listed] == ["dead"] * 3
    one = (await client.get(f"/api/v1/dead-letters/{listed[0]['userId']}")).json()
    assert one["state"]["email"] == "refused0@example.com"

    # Refused again: it comes back.
    assert (await client.post(f"/api/v1/dead-letters/{listed[0]['userId']}/retry")).json() == {"retried": 1}
    await until(are_set_aside, "three dead letters again")

    await accept_all(system)
    assert (await client.post(f"/api/v1/dead-letters/{listed[0]['userId']}/retry")).json() == {"retried": 1}
    await system.until_synchronized(1)
    assert (await client.post("/api/v1/dead-letters/retry")).json() == {"retried": 2}
    await system.until_synchronized(3)
    assert (await client.get("/api/v1/dead-letters")).json() == []
    assert (await client.get("/health/flow")).status_code == 200
    (row,) = (await client.get("/api/v1/stats")).json()
    assert (row["total"], row["synchronized"], row["pending"], row["deadLetters"]) == (3, 3, 0, 0)


@pytest.mark.parametrize("path", ["/api/v1/dead-letters/77", "/api/v1/dead-letters/77/retry"])
async def test_a_dead_letter_that_is_none_is_unknown(serve, path):
    client = (await serve()).client
    answer = await (client.post(path) if path.endswith("retry") else client.get(path))
    assert answer.status_code == 404


async def test_the_command_line_lists_shows_and_retries(system, serve):
    served = await serve()
    url = ("--url", str(served.client.base_url))
    assert await run_tandem("dead-letters", "list", *url) == (0, "No dead letters.\n")
    await refuse_some(system)
    created = await served.client.post(
        "/api/v1/user-command?seed=dead", json={"email": "refused@example.com"}
    )
    user_id = str(created.json()["id"])

    async def is_set_aside() -> bool:
        return await letters(system) == 1

    await until(is_set_aside, "one dead letter")
    code, output = await run_tandem("dead-letters", "list", *url)
    assert code == 0
    assert user_id in output
    assert "DocumentValidationFailure" in output
    code, output = await run_tandem("dead-letters", "show", user_id, *url)
    assert "refused@example.com" in output
    await accept_all(system)
    assert await run_tandem("dead-letters", "retry", "--all", *url) == (0, "1 user is on its way again.\n")
    await system.until_synchronized(1)
    assert (await run_tandem("dead-letters", "show", user_id, *url))[0] == 1
    code, output = await run_tandem("dead-letters", "retry", *url)
    assert code == 2
    assert "--all" in output
