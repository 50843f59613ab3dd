"""A command with an Idempotency-Key creates one user, whatever happens in between."""

import asyncio

import asyncpg
import httpx
import pytest

from waiting import until

URL = "/api/v1/user-command?seed=keys"
USER = {"email": "once@example.com"}


async def send(client, key, body=USER, url=URL):
    return await client.post(url, json=body, headers={"Idempotency-Key": key.encode("latin-1")})


async def test_a_repeated_command_gets_the_first_answer(system, serve):
    client = (await serve()).client
    first = await send(client, "k-1")
    again = await send(client, "k-1")
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.json() == first.json()
    assert "idempotent-replayed" not in first.headers
    assert again.headers["idempotent-replayed"] == "true"
    assert again.headers["location"] == first.headers["location"]
    await system.until_synchronized(1)
    assert (await send(client, "k-1")).json() == first.json()


async def test_another_instance_knows_the_key_too(system, serve):
    one, two = await serve("instance-1"), await serve("instance-2")
    first = await send(one.client, "k-1")
    again = await send(two.client, "k-1")
    assert again.json() == first.json()
    assert again.json()["appId"] == "instance-1"
    await system.until_synchronized(1)


@pytest.mark.parametrize("instances", [1, 2])
async def test_sent_many_times_at_once_it_creates_one_user(system, serve, instances):
    clients = [(await serve(f"instance-{number}")).client for number in range(instances)]
    answers = await asyncio.gather(
        *(send(clients[number % instances], f"k-{number % 5}") for number in range(100))
    )
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.json()["id"] for answer in answers}) == 5
    assert sum("idempotent-replayed" not in answer.headers for answer in answers) == 5
    await system.until_synchronized(5)


async def test_a_key_used_for_another_command_is_refused(system, serve):
    client = (await serve()).client
    await send(client, "k-1")
    other_body = await send(client, "k-1", {"email": "other@example.com"})
    other_run = await send(client, "k-1", url="/api/v1/user-command?seed=other")
    for answer in (other_body, other_run):
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["parameter"] == "Idempotency-Key"
    both = await asyncio.gather(send(client, "k-2"), send(client, "k-2", {"email": "other@example.com"}))
    assert sorted(answer.status_code for answer in both) == [201, 422]
    await system.until_synchronized(2)


async def test_a_refused_command_is_not_remembered(system, serve):
    client = (await serve()).client
    assert (await send(client, "k-1", {"email": "wrong"})).status_code == 400
    assert (await send(client, "k-1")).status_code == 201
    await system.until_synchronized(1)


async def test_a_key_may_be_quoted_and_is_the_same_bare(shared_client):
    first = await send(shared_client, '"quoted"')
    assert (await send(shared_client, "quoted")).json() == first.json()


@pytest.mark.parametrize("key", ["", '""', "x" * 129, "k\xe4se", '"half', 'in"side'])
async def test_a_bad_key_is_named(shared_client, key):
    answer = await send(shared_client, key)
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["parameter"] == "Idempotency-Key"


async def test_an_answer_lost_after_the_commit_is_given_again(system, serve):
    """kill -9 after the commit, before the answer: the retry finds the one user, and it arrives."""
    victim, other = await serve("victim", LEASE_SECONDS="2"), await serve("other", LEASE_SECONDS="2")
    same_role = await asyncpg.connect(system.urls.postgres_service_url)

    async def waits_for_the_lock() -> bool:
        return bool(
            await same_role.fetchval(
                "select count(*) from pg_stat_activity where application_name = 'tandem victim' "
                "and datname = current_database() and wait_event_type = 'Lock'"
            )
        )

    # The lock holds the statement back until its client is dead; then it commits with nobody to tell.
    async with system.postgres.transaction():
        await system.postgres.execute("lock table prm_user_pending in exclusive mode")
        lost = asyncio.create_task(send(victim.client, "k-1"))
        await until(waits_for_the_lock, "the statement waits")
        await victim.kill()
    with pytest.raises(httpx.TransportError):
        await lost
    await same_role.close()

    answer = await send(other.client, "k-1")
    assert answer.status_code == 201
    await system.until_synchronized(1)
    assert await system.count("select count(*) from prm_user") == 1
