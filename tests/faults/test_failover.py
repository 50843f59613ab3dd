"""A standby that lagged takes over, or a backup is restored: no id is given a second time."""

from dataclasses import replace
from urllib.parse import urlsplit

import asyncpg
import pytest

from ledger import Load, send
from proxy import Proxy, port_of, through
from servers import Databases
from standby import copy_cluster, standby_of, started
from systems import System, commands, create, create_soon
from tandem.app import run_instance
from tandem.cqrs import CreateUserCommand
from tandem.kernel import Unavailable
from tandem.user import Location, Profile
from tandem.user_command.history import SKIPPED_IDS
from waiting import until

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


async def test_what_an_instance_remembers_of_the_lost_server_is_forgotten_and_mongodb_may_be_away(
    own_servers, own_system, new_place
):
    """A country's id that the lost server gave is another country's at the new one."""
    mongodb_port = port_of(own_system.urls.mongodb_service_url)
    async with (
        Proxy(port_of(own_system.urls.postgres_service_url)) as name,
        Proxy(mongodb_port) as mongodb,
        standby_of(own_servers, new_place()) as standby,
    ):
        system = through(own_system, postgres=name, mongodb=mongodb)
        async with run_instance(system.settings(database_timeout_seconds=2)) as instance:
            await create(instance, [from_country("Atlantis", 1)])
            await own_system.until_synchronized(1)
            await standby.until_it_has(database_of(own_system), 1)
            await standby.stop_following()
            (lost,) = await create(instance, [from_country("Lemuria", 2)])
            await own_system.until_synchronized(2)

            mongodb.fall_silent()
            await standby.promote()
            name.move_to(standby.port)
            (first,) = await create_soon(instance, [from_country("Thule", 3)])
            (second,) = await create_soon(instance, [from_country("Lemuria", 4)])
            assert lost.id < SKIPPED_IDS < first.id < second.id
            for user, country in ((first, "Thule"), (second, "Lemuria")):
                rows = await instance.flow.command_service.find(user.id)
                assert rows.location.country.name == country

            mongodb.forward_again()
            now = moved_to(own_system, standby.port)
            now.postgres = await asyncpg.connect(now.urls.postgres_owner_url)
            await now.until_synchronized(3)
            assert set(await documents(now)) == {1, lost.id, first.id, second.id}
            await now.postgres.close()


async def test_a_copy_of_the_files_that_is_older_than_mongodb_gives_no_id_again(
    own_servers, own_system, new_place
):
    """The timeline stays the same, so MongoDB alone can tell. Restarted under an instance that goes on."""
    async with (
        Proxy(port_of(own_system.urls.postgres_service_url)) as name,
        run_instance(through(own_system, postgres=name).settings()) as instance,
    ):
        await create(instance, commands(BEFORE, "before"))
        await own_system.until_synchronized(BEFORE)
        files = await copy_cluster(own_servers.postgres, new_place() / "copy")
        # More than the 32 ids that a sequence logs ahead.
        lost = await create(instance, commands(LOST, "lost"))
        await own_system.until_synchronized(BEFORE + LOST)

        async with started(files):
            name.move_to(files.port)
            after = await create_soon(instance, commands(AFTER, "after"))
            assert max(user.id for user in lost) < min(user.id for user in after)
            now = moved_to(own_system, files.port)
            now.postgres = await asyncpg.connect(now.urls.postgres_owner_url)
            await now.until_synchronized(BEFORE + AFTER)
            await now.postgres.close()


async def test_a_sequence_behind_the_users_is_no_users_fault_and_heals(system):
    """As after a restore that forgot it. Nobody gets an error that would say that the user is wrong."""
    async with run_instance(system.settings()) as instance:
        await create(instance, commands(100))
        await system.postgres.execute("select setval('prm_user_id_seq', 1)")
        with pytest.raises(Unavailable):
            await create(instance, commands(20, "again"))
        assert instance.flow.creates.counters.failed == 20

        async def is_moved() -> bool:
            return await system.count("select max(number) from tandem_history") == 2

        await until(is_moved, "the sequence moved ahead")
        users = await create_soon(instance, commands(20, "again"))
        assert min(user.id for user in users) > SKIPPED_IDS


def from_country(country: str, number: int) -> CreateUserCommand:
    location = Location(country=country)
    return CreateUserCommand("lands", Profile(email=f"{number}@example.com", location=location))
