"""A standby that lagged takes over, or a backup is restored: ids of the lost history are never given again."""

from dataclasses import replace
from urllib.parse import urlsplit

import asyncpg
import pytest
from ledger import Load, send
from proxy import Proxy, port_of, through
from standby import standby_of

from servers import Databases
from systems import System, commands, create, until
from tandem.app import run_instance
from tandem.user_command.history import SKIPPED_IDS

BEFORE, LOST, AFTER = 30, 40, 50
pytestmark = pytest.mark.slow


def moved_to(system: System, port: int) -> System:
    """The same databases, with PostgreSQL on another port."""
    owner, service = (
        url.replace(f":{port_of(url)}/", f":{port}/")
        for url in (system.urls.postgres_owner_url, system.urls.postgres_service_url)
    )
    urls = system.urls
    databases = Databases(owner, service, urls.mongodb_owner_url, urls.mongodb_service_url)
    return replace(system, urls=databases)


def database_of(system: System) -> str:
    return urlsplit(system.urls.postgres_owner_url).path[1:]


async def documents(system) -> dict[int, str]:
    return {document["_id"]: document["email"] async for document in system.users.find()}


async def until_ready(client, status: int = 200) -> None:
    async def is_so() -> bool:
        return (await client.get("/health/ready")).status_code == status

    await until(is_so, f"ready is {status}")


async def test_behind_a_name_that_moves_to_a_standby_that_lagged_no_id_is_given_twice(
    own_servers, own_system, serve_own, new_place
):
    """Two instances live through it; a third comes only afterwards."""
    async with (
        Proxy(port_of(own_system.urls.postgres_service_url)) as name,
        standby_of(own_servers, new_place()) as standby,
    ):
        serve_own.system = through(own_system, postgres=name)
        clients = [(await serve_own(f"instance-{number}")).client for number in (1, 2)]
        async with Load(clients, BEFORE, seed="before") as before:
            pass
        await own_system.until_synchronized(BEFORE)
        await standby.until_it_has(database_of(own_system), BEFORE)
        await standby.stop_following()
        async with Load(clients, LOST, seed="lost") as lost:
            pass
        await own_system.until_synchronized(BEFORE + LOST)
        assert (await clients[0].get("/health/flow")).status_code == 200

        # The name leads to the standby before it is promoted: its sessions must not be kept.
        name.move_to(standby.port)
        for client in clients:
            await until_ready(client, 503)
            answer = await send(client, b'{"email": "refused@example.com"}')
            assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")
            assert "read-only" in (await client.get("/health/ready")).json()["detail"]
        await standby.promote()
        for client in clients:
            await until_ready(client)
        async with Load(clients, AFTER, seed="after") as after:
            pass
        clients.append((await serve_own("instance-3")).client)
        async with Load(clients, AFTER, seed="later") as later:
            pass

        now = moved_to(own_system, standby.port)
        now.postgres = await asyncpg.connect(now.urls.postgres_owner_url)
        await now.until_synchronized(BEFORE + 2 * AFTER)
        given_before = {*before.acknowledged.values(), *lost.acknowledged.values()}
        given_after = {*after.acknowledged.values(), *later.acknowledged.values()}
        assert given_before & given_after == set()
        found = await documents(now)
        rows = await now.postgres.fetch("select id, email from prm_user")
        assert {row["id"]: row["email"] for row in rows}.items() <= found.items()
        assert set(found) - {row["id"] for row in rows} == set(lost.acknowledged.values())

        # One of the instances has moved the sequence, once.
        histories = await now.postgres.fetch("select * from tandem_history order by number")
        assert [row["number"] for row in histories] == [0, 1, 2]
        assert SKIPPED_IDS < min(given_after) < max(given_after) < 2 * SKIPPED_IDS
        for client in clients:
            flow = await client.get("/health/flow")
            assert flow.status_code == 503
            assert f"{LOST} users" in flow.json()["detail"]
        # The way out of the runbook: once they are dealt with, all is well.
        await now.users.delete_many({"_id": {"$in": list(lost.acknowledged.values())}})
        flow = (await clients[0].get("/health/flow")).json()
        assert flow["history"]["number"] == 2
        assert flow["history"]["timeline"] == 2
        assert flow["history"]["firstId"] == histories[2]["first_id"]
        await now.postgres.close()
