"""Several hosts in the URL of PostgreSQL: sessions are at the primary, and a silent one holds up nobody."""

import asyncio
import socket

import msgspec
import pytest
import uvloop

from command_line import run_tandem
from proxy import Proxy, port_of
from standby import standby_of
from systems import commands, create, create_soon
from tandem.app import run_instance
from tandem.postgres.faults import NoPrimary, state_of
from tandem.postgres.hosts import Hosts, open_session
from tandem_stack.ports import free_port


def naming(url: str, *ports: int) -> str:
    """The URL with these ports of this machine as its hosts."""
    return url.replace(f"127.0.0.1:{port_of(url)}", ",".join(f"127.0.0.1:{port}" for port in ports))


async def port_at(session) -> int:
    """The port that the session's server listens on."""
    try:
        return int(await session.fetchval("show port"))
    finally:
        session.terminate()


@pytest.mark.slow
async def test_sessions_are_at_the_primary_wherever_it_stands_and_go_on_at_the_next(
    own_servers, own_system, new_place
):
    """Whoever names several hosts need not say what for."""
    async with standby_of(own_servers, new_place()) as standby:
        primary = port_of(own_system.urls.postgres_service_url)
        url = naming(own_system.urls.postgres_service_url, standby.port, primary)
        hosts = Hosts(url)
        found = [await port_at(await hosts.open(5)) for _ in range(10)]
        assert set(found) == {primary}
        # Who says that any will do gets any.
        other = Hosts(f"{url}?target_session_attrs=standby")
        assert await port_at(await other.open(5)) == standby.port

        code, said = await run_tandem(
            "migrate",
            POSTGRES_URL=naming(own_system.urls.postgres_owner_url, standby.port, primary),
            MONGODB_URL=own_system.urls.mongodb_owner_url,
        )
        assert (code, said) == (0, "Both databases are up to date.\n")

        settings = msgspec.structs.replace(own_system.settings(), postgres_url=url)
        async with run_instance(settings) as instance:
            await create(instance, commands(10, "before"))
            await own_system.until_synchronized(10)
            await own_servers.postgres_server.process.kill()
            with pytest.raises(NoPrimary):
                await Hosts(url.replace(str(primary), str(standby.port))).open(5)
            await standby.promote()
            await create_soon(instance, commands(10, "after"))


async def test_a_host_that_is_silent_is_given_up_and_asked_last_from_then_on(system):
    primary = port_of(system.urls.postgres_service_url)
    async with Proxy(primary) as silent:
        silent.fall_silent()
        hosts = Hosts(naming(system.urls.postgres_service_url, silent.port, primary))
        for _ in range(30):
            assert await port_at(await hosts.open(30)) == primary
        assert len(silent._links) == 1


async def test_an_error_is_that_of_a_host_that_is_no_standby_and_names_all_of_them(system):
    one, other = free_port(), free_port()
    url = naming(system.urls.postgres_service_url, one, other)
    code, said = await run_tandem(
        "migrate", "--wait", "0", POSTGRES_URL=url, MONGODB_URL=system.urls.mongodb_owner_url
    )
    assert code == 1
    assert f"127.0.0.1:{one},127.0.0.1:{other}/" in said
    assert "Connect call failed" in said or "refused" in said
    assert "Traceback" not in said
    assert url.partition("@")[0].rpartition(":")[2] not in said


def test_a_cluster_without_a_primary_is_a_state_of_the_server():
    assert state_of(NoPrimary("none")) == "PostgreSQL has no primary among its hosts"


def options_of(session) -> dict[str, int]:
    connection = session._transport.get_extra_info("socket")
    names = ("TCP_USER_TIMEOUT", "TCP_KEEPIDLE", "TCP_KEEPINTVL", "TCP_KEEPCNT")
    found = {name: connection.getsockopt(socket.IPPROTO_TCP, getattr(socket, name)) for name in names}
    return found | {"keepalive": connection.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)}


@pytest.mark.parametrize("run", [asyncio.run, uvloop.run])
async def test_the_kernel_notices_a_host_that_has_fallen_silent_in_every_event_loop(system, run):
    async def ask() -> dict[str, int]:
        session = await open_session(system.urls.postgres_service_url, 5)
        try:
            return options_of(session)
        finally:
            await session.close()

    found = await asyncio.to_thread(lambda: run(ask()))
    assert found["TCP_USER_TIMEOUT"] == 5_000
    assert 1_000 * (found["TCP_KEEPIDLE"] + found["TCP_KEEPINTVL"] * found["TCP_KEEPCNT"]) <= 6_000
    assert found["keepalive"] == 1


@pytest.mark.parametrize(
    ("url", "count"),
    [
        ("postgresql://a:x%2Cy@db/tandem", 1),
        ("postgresql://a@[::1]:5432,[::2]:5433/tandem", 2),
        ("postgres://db1,db2,db3/tandem?sslmode=require", 3),
        ("postgresql:///tandem?host=/run/postgresql", 1),
        ("no url", 1),
    ],
)
def test_the_hosts_of_a_url_are_told_apart(url, count):
    hosts = Hosts(url)
    assert len(hosts._urls) == count
    if count > 1:
        assert all(each.count(",") == 0 for each in hosts._urls)
    else:
        assert hosts._urls == [url]
