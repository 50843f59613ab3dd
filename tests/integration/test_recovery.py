"""Whatever one instance leaves behind, another finishes."""

import asyncio

import httpx
import pytest

from systems import commands, create, held_before_mongodb, statistics, until
from tandem.app import run_instance

LEASE_SECONDS = 2.0


async def leave_behind(system, count: int) -> None:
    """Commit users through an instance that dies before it has projected any."""
    closed = held_before_mongodb(asyncio.Event())
    async with run_instance(system.settings("dead", drain_seconds=0.01), closed) as dying:
        await create(dying, commands(count))
    assert await system.count("select count(*) from prm_user_pending") == count


async def test_a_dead_instances_users_are_finished_by_another(system):
    await leave_behind(system, 120)
    async with run_instance(system.settings("heir")) as heir:
        await system.until_synchronized(120)
        assert heir.flow.recovery.claimed == 120
        (row,) = await statistics(heir)
    assert (row.app_id, row.total, row.synchronized, row.pending, row.taken_over) == (
        "dead",
        120,
        120,
        0,
        120,
    )
    assert await system.count("select count(*) from prm_user_event where app_id = 'heir'") == 120


async def test_two_heirs_do_the_work_once(system):
    await leave_behind(system, 2000)
    async with (
        run_instance(system.settings("heir-1")) as first,
        run_instance(system.settings("heir-2")) as second,
    ):
        await system.until_synchronized(2000)
        assert first.flow.recovery.claimed + second.flow.recovery.claimed == 2000
    assert await system.count("select count(*) from prm_user_event where event_type = 'SYNCRONIZED'") == 2000


async def test_who_is_alive_keeps_its_users(system):
    gate = asyncio.Event()
    async with run_instance(system.settings("slow"), held_before_mongodb(gate)) as slow:
        await create(slow, commands(10))
        async with run_instance(system.settings("eager")) as eager:
            assert await eager.flow.recovery.claim() == 0
            gate.set()
            await system.until_synchronized(10)
            assert eager.flow.recovery.claimed == 0


async def test_an_instance_takes_back_what_it_had_no_room_for(system):
    gate = asyncio.Event()
    settings = system.settings(max_in_projection=20, max_batch=5)
    async with run_instance(settings, held_before_mongodb(gate)) as instance:
        await create(instance, commands(200))
        assert instance.flow.projection.counters.refused > 0
        assert len(instance.flow.projection) <= 20 + 2 * 5
        gate.set()
        await system.until_synchronized(200)
        assert instance.flow.recovery.claimed >= 150


async def test_a_user_committed_late_with_a_low_id_still_arrives(system, instance):
    """Commit order is not id order: a cursor over ids would skip this one."""
    late = await system.postgres.fetchval("select nextval('prm_user_id_seq')")
    await create(instance, commands(5))
    await system.until_synchronized(5)
    async with system.postgres.transaction():
        await system.postgres.execute(
            "insert into prm_user (id, email, seed, app_id, status, version, created_at) "
            "values ($1, 'late@example.com', 'run', 'gone', 'CREATED', 1, now())",
            late,
        )
        await system.postgres.execute(
            "insert into prm_user_event (user_id, version, event_type, event_data, seed, app_id, created_at) "
            "values ($1, 1, 'CREATED', '{\"email\": \"late@example.com\"}', 'run', 'gone', now())",
            late,
        )
        await system.postgres.execute("insert into prm_user_pending values ($1, 1, -1, now())", late)
    await system.until_synchronized(6)
    assert (await system.users.find_one({"_id": late}))["email"] == "late@example.com"


async def test_the_lease_ends_by_the_servers_clock(system):
    async with run_instance(system.settings("short", lease_seconds=LEASE_SECONDS)) as instance:
        left = await system.postgres.fetchval(
            "select extract(epoch from lease_until - now()) from tandem_instance where incarnation = $1",
            instance.adapters.lease.incarnation,
        )
        # The clocks of two cores may differ by some microseconds.
        assert 0 < left <= LEASE_SECONDS + 0.1
    ended = "select lease_until < now() + make_interval(secs => $1) from tandem_instance"
    assert await system.postgres.fetchval(ended, LEASE_SECONDS / 2)


@pytest.mark.parametrize("after", ["commit", "mongodb"])
async def test_kill_9_in_mid_run_loses_nothing_that_was_acknowledged(system, serve, after):
    victim = await serve("victim", LEASE_SECONDS="2")
    survivor = await serve("survivor", LEASE_SECONDS="2")
    acknowledged: set[int] = set()
    enough = asyncio.Event()

    async def client(number: int) -> None:
        for index in range(200):
            body = {"email": f"{number}.{index}@example.com"}
            try:
                answer = await victim.client.post("/api/v1/user-command?seed=killed", json=body)
            except httpx.TransportError:
                return
            if answer.status_code == 201:
                acknowledged.add(answer.json()["id"])
            if len(acknowledged) > 300 or (after == "mongodb" and len(acknowledged) > 30):
                enough.set()

    clients = [asyncio.create_task(client(number)) for number in range(20)]
    await enough.wait()
    await victim.kill()
    await asyncio.gather(*clients)

    async def has_nothing_under_way() -> bool:
        """PostgreSQL still ends a statement of a client that is dead."""
        sessions = "select count(*) from pg_stat_activity where application_name = 'tandem victim'"
        return await system.count(f"{sessions} and datname = current_database()") == 0

    await until(has_nothing_under_way, "the victim's sessions ended")
    committed = await system.count("select count(*) from prm_user")
    assert committed >= len(acknowledged)
    await system.until_synchronized(committed)
    stored = {row["id"] for row in await system.postgres.fetch("select id from prm_user")}
    assert acknowledged <= stored
    assert stored == {document["_id"] async for document in system.users.find({}, {"_id": 1})}
    (row,) = (await survivor.client.get("/api/v1/stats?seed=killed")).json()
    assert (row["total"], row["synchronized"], row["pending"]) == (committed, committed, 0)
