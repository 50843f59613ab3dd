"""The plain way does the same job: users reach both databases, and are found by their e-mail addresses."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx
import msgspec
import pytest

from baselines import USER_TABLES, counts, looked_into, stages, urls_of
from tandem.random_users import random_user
from tandem_stack.ports import free_port
from waiting import until


@dataclass
class PlainWay:
    """The plain way as a process: a client for it, and its databases."""

    client: httpx.AsyncClient
    databases: Any


@pytest.fixture(scope="module")
async def plain_way(servers) -> AsyncIterator[PlainWay]:
    databases = await servers.new_databases()
    port = free_port()
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tandem_lab.baselines.plain_way.serve",
        env=os.environ | urls_of(databases) | {"PORT": str(port)},
    )
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=30) as client:

        async def answers() -> bool:
            assert process.returncode is None
            try:
                return (await client.get("/openapi.json")).status_code == 200
            except httpx.TransportError:
                return False

        await until(answers, "the plain way answers")
        yield PlainWay(client, databases)
    process.terminate()
    # uvicorn ends in order, and then by the signal that it was sent.
    assert await process.wait() == -signal.SIGTERM


async def test_every_user_reaches_both_databases_as_it_was_sent(plain_way):
    sent = [msgspec.to_builtins(random_user("plain", index)) for index in range(20)]
    posts = (plain_way.client.post("/api/v1/user-command?seed=s", json=user) for user in sent)
    answers = await asyncio.gather(*posts)
    assert [answer.status_code for answer in answers] == [201] * 20
    async with looked_into(plain_way.databases, "plain_way") as (postgres, documents):

        async def are_synchronized() -> bool:
            return await stages(postgres) == {"CREATED": 20, "SYNCRONIZED": 20}

        await until(are_synchronized, "20 users of the plain way synchronized")
        assert await counts(postgres, *USER_TABLES) == [20] * 4
        assert await postgres.fetchval("select count(*) from prm_user where status = 'SYNCRONIZED'") == 20
        assert await documents.count_documents({"currentStatus": "SYNCRONIZED"}) == 20
    for user, answer in zip(sent, answers, strict=True):
        url = "/api/v1/user-query/email"
        found = (await plain_way.client.get(url, params={"email": user["email"]})).json()
        assert (found["_id"], found["seed"]) == (answer.json()["id"], "s")
        assert found["location"].pop("postcode") == str(user["location"].pop("postcode"))
        for field in ("name", "location", "login", "picture", "phone", "nat"):
            assert found[field] == user[field]


async def test_what_is_no_user_is_refused_and_who_is_unknown_is_not_found(plain_way):
    refused = await plain_way.client.post("/api/v1/user-command?seed=s", json={"email": "nobody"})
    unknown = await plain_way.client.get("/api/v1/user-query/email", params={"email": "no@example.com"})
    assert (refused.status_code, unknown.status_code) == (422, 404)
