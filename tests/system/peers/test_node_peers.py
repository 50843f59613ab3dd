"""The peers on Node: users that they acknowledge are in both stores as they were sent, also after a crash."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence

import httpx
import msgspec
import psutil
import pytest

from tandem.random_users import random_user
from tandem_lab.peers.places import fresh_places
from tandem_lab.peers.protocol import Json, Peer, Running
from tandem_lab.peers.registry import PEERS, peer_named
from waiting import until

pytestmark = pytest.mark.slow
NOWHERE = "http://127.0.0.1:9"


@pytest.fixture(scope="module", params=["nestjs", "emmett"])
async def started(request, servers) -> AsyncIterator[tuple[Peer, Running]]:
    peer = peer_named(request.param)
    databases = await servers.new_databases()
    async with (
        fresh_places(databases.postgres_owner_url, databases.mongodb_owner_url) as places,
        peer.running(places) as running,
    ):
        yield peer, running


def users(seed: str, count: int) -> list[Json]:
    return [msgspec.to_builtins(random_user(seed, index)) for index in range(count)]


async def send(peer: Peer, url: str, sent: Sequence[Json]) -> list[httpx.Response]:
    """One after the other: of users that come at once, the projection of Emmett 0.42 leaves some out."""
    async with httpx.AsyncClient(base_url=url, timeout=30) as client:
        requests = (peer.command(user, user["email"]) for user in sent)
        return [
            await client.request(each.method, each.path, content=each.body, headers=each.headers)
            for each in requests
        ]


def promised(user: Json) -> Json:
    """What both stores must have as it was sent."""
    return {
        "email": user["email"],
        "name": user["name"],
        "phone": user["phone"],
        "city": user["location"]["city"],
        "country": user["location"]["country"],
        "uuid": user["login"]["uuid"],
    }


async def arrive(peer: Peer, sent: Sequence[Json]) -> None:
    """Wait until the second store has them, then compare both with what was sent."""
    emails = [user["email"] for user in sent]

    async def are_there() -> bool:
        return len(await peer.second(emails)) >= len(sent)

    await until(are_there, f"{len(sent)} users in the second store")
    for store in (peer.first, peer.second):
        found = {user["email"]: promised(user) for user in await store(emails)}
        assert found == {user["email"]: promised(user) for user in sent}


async def test_users_are_in_both_stores_as_they_were_sent(started):
    peer, running = started
    sent = users("node", 20)
    answers = await send(peer, running.url, sent)
    assert all(peer.acknowledged(answer.status_code, answer.content) for answer in answers)
    await arrive(peer, sent)
    assert await peer.done() == 20


async def test_what_is_no_user_is_refused_and_the_next_one_is_taken(started):
    peer, running = started
    (refused,) = await send(peer, running.url, [{"email": "nobody"}])
    assert 400 <= refused.status_code < 500
    sent = users("after bad input", 1)
    await send(peer, running.url, sent)
    await arrive(peer, sent)


async def test_one_that_is_killed_comes_back_and_takes_another_user(started):
    peer, running = started
    before = running.processes["instance"]()
    assert not psutil.Process(before).children(), "a fault would strike what only starts the program"
    os.kill(before, signal.SIGKILL)
    sent = users("after a kill", 1)

    async def is_taken() -> bool:
        try:
            (answer,) = await send(peer, running.url, sent)
        except httpx.TransportError:
            return False
        return peer.acknowledged(answer.status_code, answer.content)

    await until(is_taken, "a user taken after the kill")
    assert running.processes["instance"]() != before
    await arrive(peer, sent)


def test_a_machine_without_a_registry_is_told_so(tmp_path):
    for name in ("package.json", "package-lock.json", ".npmrc"):
        shutil.copy(PEERS / "emmett" / name, tmp_path)
    offline = {
        "npm_config_registry": NOWHERE,
        "npm_config_cache": str(tmp_path),
        "npm_config_fetch_retries": "0",
    }
    built = subprocess.run(
        [sys.executable, "-m", "tandem_lab.peers.node", str(tmp_path)],
        env=os.environ | offline,
        capture_output=True,
        text=True,
        check=False,
    )
    assert built.returncode == 1
    assert built.stderr.splitlines()[-1] == (
        f"Error: `npm ci` failed in {tmp_path}. The first time it needs a package registry."
    )
