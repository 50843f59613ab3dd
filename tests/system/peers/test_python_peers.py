"""Peers that are Python programs keep what they acknowledge, and come back when they are killed."""

import asyncio
import os
import signal
import sys
from dataclasses import dataclass
from typing import Any

import asyncpg
import httpx
import msgspec
import pytest

from tandem.random_users import random_user
from tandem_lab.peers.places import fresh_places
from tandem_lab.peers.protocol import Json, Peer, Running
from tandem_lab.peers.registry import names, peer_named
from waiting import until

pytestmark = pytest.mark.slow


def _is_python(name: str) -> bool:
    return peer_named(name).programs["instance"].words[0] == sys.executable


@dataclass
class Client:
    """Sends users to a peer that runs, and compares its stores."""

    peer: Peer
    running: Running
    http: httpx.AsyncClient
    name: str

    def user(self, index: int) -> Json:
        return msgspec.to_builtins(random_user(self.name, index))

    async def is_acknowledged(self, index: int) -> bool:
        request = self.peer.command(self.user(index), f"{self.name}-{index}")
        try:
            answer = await self.http.request(
                request.method, request.path, content=request.body, headers=request.headers
            )
        except httpx.TransportError:
            return False
        return self.peer.acknowledged(answer.status_code, answer.content)

    async def until_in_both_stores(self, *indexes: int) -> None:
        """Exactly once, and as they were sent."""
        sent = sorted(map(_facts, map(self.user, indexes)))
        emails = [facts[0] for facts in sent]

        async def has_arrived() -> bool:
            return len(await self.peer.second(emails)) >= len(sent)

        await until(has_arrived, f"{len(sent)} users in MongoDB")
        assert sorted(map(_facts, await self.peer.second(emails))) == sent
        assert sorted(map(_facts, await self.peer.first(emails))) == sent


def _facts(user: Json) -> tuple[Any, ...]:
    name, place = user["name"], user["location"]
    persons = (name["title"], name["first"], name["last"], user["phone"], user["login"]["uuid"])
    return user["email"], *persons, place["city"], place["country"]


@pytest.mark.parametrize("name", [name for name in names() if _is_python(name)])
async def test_a_peer_keeps_what_it_acknowledges_and_comes_back(servers, name):
    peer = peer_named(name)
    async with (
        fresh_places(servers.postgres_owner_url, servers.mongodb_owner_url) as places,
        peer.running(places) as running,
        httpx.AsyncClient(base_url=running.url, timeout=30) as http,
    ):
        client = Client(peer, running, http, name)
        twice = range(10) if peer.about.accepts_keys else ()
        acknowledged = await asyncio.gather(*map(client.is_acknowledged, (*range(20), *twice)))
        assert all(acknowledged)
        await client.until_in_both_stores(*range(20))
        assert await peer.done() == 20

        for pid in running.processes.values():
            os.kill(pid(), signal.SIGKILL)
        await until(lambda: client.is_acknowledged(20), f"{name} taking users after it was killed")
        await client.until_in_both_stores(20)

        await _end_sessions(places.postgres_url)
        await until(lambda: client.is_acknowledged(21), f"{name} taking users on new connections")
        await client.until_in_both_stores(21)


async def _end_sessions(postgres_url: str) -> None:
    connection = await asyncpg.connect(postgres_url)
    await connection.execute(
        "select pg_terminate_backend(pid) from pg_stat_activity"
        " where datname = current_database() and usename = current_user and pid <> pg_backend_pid()"
    )
    await connection.close()
