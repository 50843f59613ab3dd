"""Connections that fall silent without closing, and one that breaks when the answer to a commit comes."""

import asyncio

import pytest

from ledger import Load, check_agreement, check_databases, send
from proxy import Proxy, port_of, through
from waiting import until

USERS = 60
USER = b'{"email": "a@example.com"}'


async def until_status(client, path: str, status: int) -> None:
    async def is_so() -> bool:
        return (await client.get(path)).status_code == status

    await until(is_so, f"{path} answers {status}")


async def test_a_postgresql_that_falls_silent_is_done_without_until_it_is_back(system, serve):
    async with Proxy(port_of(system.urls.postgres_service_url)) as proxy:
        serve.system = through(system, postgres=proxy)
        client = (await serve(DATABASE_TIMEOUT_SECONDS="1")).client
        async with Load([client], USERS, seed="before") as before:
            pass
        proxy.fall_silent()
        answers = await asyncio.gather(*(send(client, USER, key=f"silent-{n}") for n in range(USERS)))
        assert {answer.status_code for answer in answers} == {503}
        assert all("retry-after" in answer.headers for answer in answers)
        await until_status(client, "/health/ready", 503)
        assert (await client.get("/api/v1/user-query")).status_code == 200

        proxy.forward_again()
        await until_status(client, "/health/ready", 200)
        async with Load([client], USERS, seed="after") as after:
            pass
        # Of what was refused meanwhile nothing had reached PostgreSQL.
        await system.until_synchronized(2 * USERS)
    await check_agreement(system, before.acknowledged | after.acknowledged)


async def test_a_mongodb_that_falls_silent_is_done_without_until_it_is_back(system, serve):
    async with Proxy(port_of(system.urls.mongodb_service_url)) as proxy:
        serve.system = through(system, mongodb=proxy)
        client = (await serve(DATABASE_TIMEOUT_SECONDS="1")).client
        async with Load([client], USERS, seed="before") as before:
            pass
        await system.until_synchronized(USERS)
        proxy.fall_silent()
        async with Load([client], USERS, seed="meanwhile") as meanwhile:
            pass
        assert meanwhile.troubles == []
        assert (await client.get("/api/v1/user-query")).status_code == 503
        assert await system.count("select count(*) from prm_user_pending") == USERS

        proxy.forward_again()
        await system.until_synchronized(2 * USERS)
        await until_status(client, "/api/v1/user-query", 200)
    await check_agreement(system, before.acknowledged | meanwhile.acknowledged)


@pytest.mark.parametrize("sent_again", [True, False], ids=["sent again", "not sent again"])
async def test_a_user_whose_commit_s_answer_was_cut_off_arrives_once(system, serve, sent_again):
    async with Proxy(port_of(system.urls.postgres_service_url)) as proxy:
        serve.system = through(system, postgres=proxy)
        client = (await serve()).client
        proxy.cut_answer_to(b"cut-off")
        answer = await send(client, USER, key="cut-off")
        assert answer.status_code == 503
        assert proxy.cut.is_set()
        (stored,) = await system.postgres.fetch("select id from prm_user")
        if sent_again:
            again = await send(client, USER, key="cut-off")
            assert (again.status_code, again.json()["id"]) == (201, stored["id"])
            assert again.headers["idempotent-replayed"] == "true"
        await system.until_synchronized(1)
    await check_databases(system)
