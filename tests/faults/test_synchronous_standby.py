"""REQUIRE_SYNCHRONOUS_STANDBY: no command is committed on one host alone, and reads go on."""

import asyncpg
import pytest

from ledger import send
from standby import standby_of
from systems import commands, create
from tandem.app import run_instance
from tandem.kernel import UnsuitableServer
from waiting import until

pytestmark = pytest.mark.slow


class Cluster:
    """The test's PostgreSQL with a standby, and the superuser's say over both."""

    def __init__(self, superuser: asyncpg.Connection) -> None:
        self._superuser = superuser

    async def synchronous(self, names: str) -> None:
        """Have commits wait for the standbys of these names; empty: for none."""
        await self._superuser.execute(f"alter system set synchronous_standby_names = '{names}'")
        await self._superuser.execute("select pg_reload_conf()")

        async def is_so() -> bool:
            sync = await self._superuser.fetchval(
                "select count(*) from pg_stat_replication where sync_state in ('sync', 'quorum')"
            )
            return bool(sync) == (names == "*")

        await until(is_so, f"synchronous_standby_names = {names!r}")

    async def may_see(self, *, is_so: bool) -> None:
        """Whether the service role may see standbys."""
        change = "grant pg_read_all_stats to" if is_so else "revoke pg_read_all_stats from"
        await self._superuser.execute(f"{change} tandem_service")


@pytest.fixture
async def cluster(own_servers, own_system, new_place):
    async with standby_of(own_servers, new_place()):
        superuser = await own_servers.postgres.connect("postgres", "postgres")
        cluster = Cluster(superuser)
        await cluster.may_see(is_so=True)
        await cluster.synchronous("*")
        yield cluster
        # What is committed at the end, without the standby, must not wait for it.
        await cluster.synchronous("")
        await superuser.close()


async def refusal_of(own_system) -> str:
    with pytest.raises(UnsuitableServer) as refused:
        async with run_instance(own_system.settings(require_synchronous_standby=True)):
            pass
    return str(refused.value)


async def test_a_server_without_a_synchronous_standby_is_refused_at_the_start(cluster, own_system):
    async with run_instance(own_system.settings(require_synchronous_standby=True)) as instance:
        assert instance.why_not_ready is None
        await create(instance, commands(3))
    await cluster.may_see(is_so=False)
    assert "GRANT pg_read_all_stats" in await refusal_of(own_system)
    await cluster.may_see(is_so=True)
    # Named, but not there: a commit would wait for ever.
    await cluster.synchronous("somebody")
    assert "none of those in synchronous_standby_names is connected" in await refusal_of(own_system)
    await cluster.synchronous("")
    said = await refusal_of(own_system)
    assert "synchronous_standby_names is empty. REQUIRE_SYNCHRONOUS_STANDBY=false" in said


async def test_commands_are_refused_while_there_is_none_reads_go_on_and_it_heals(
    cluster, own_system, serve_own
):
    client = (await serve_own(REQUIRE_SYNCHRONOUS_STANDBY="true")).client

    async def status_of_ready() -> int:
        return (await client.get("/health/ready")).status_code

    async def ready_is(status: int) -> None:
        async def is_so() -> bool:
            return await status_of_ready() == status

        await until(is_so, f"ready is {status}")

    first = (await send(client, b'{"email": "first@example.com"}')).json()
    await own_system.until_synchronized(1)
    # As Patroni does when the last standby is gone.
    await cluster.synchronous("")
    await ready_is(503)
    assert "synchronous_standby_names is empty" in (await client.get("/health/ready")).json()["detail"]
    before = await own_system.count("select count(*) from prm_user_event")
    answers = [
        await send(client, b'{"email": "refused@example.com"}'),
        await client.patch(f"/api/v1/user-command/{first['id']}", json={"phone": "1"}),
        await client.delete(f"/api/v1/user-command/{first['id']}"),
    ]
    for answer in answers:
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")
        assert "no synchronous standby" in answer.json()["detail"]
    assert await own_system.count("select count(*) from prm_user_event") == before
    for path in (f"/api/v1/user-query/{first['id']}", f"/api/v1/user-command/{first['id']}", "/health/read"):
        assert (await client.get(path)).status_code == 200
    await cluster.synchronous("*")
    await ready_is(200)
    assert (await send(client, b'{"email": "later@example.com"}')).status_code == 201
