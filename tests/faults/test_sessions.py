"""An instance keeps the sessions at PostgreSQL that it has, and opens them before it needs them."""

import asyncio
import gc
from contextlib import suppress
from datetime import timedelta

import asyncpg

from ledger import Load, send
from obstacles import Sessions, sessions_of
from systems import commands, create
from tandem.kernel import Unavailable
from tandem.postgres.database import CONNECTIONS, READING_CONNECTIONS, Database
from waiting import until

KEPT = 2


async def until_sessions(sessions: Sessions, count: int) -> set[int]:
    async def are_open() -> bool:
        return len(await sessions.pids("instance-1")) == count

    await until(are_open, f"{count} sessions")
    return await sessions.pids("instance-1")


async def until_ready(client) -> None:
    async def is_ready() -> bool:
        return (await client.get("/health/ready")).status_code == 200

    await until(is_ready, "ready")


async def test_with_all_slots_taken_by_others_the_sessions_that_are_held_serve_everybody(system, serve):
    client = (await serve()).client
    database = system.urls.postgres_owner_url.rpartition("/")[2]
    async with sessions_of(system) as sessions:
        # Nobody has asked for anything yet.
        pids = await until_sessions(sessions, CONNECTIONS)
        await system.postgres.execute(f"alter database {database} connection limit 1")
        for pid in sorted(pids)[KEPT:]:
            await sessions.same_role.fetchval("select pg_terminate_backend($1)", pid)
        await until_sessions(sessions, KEPT)
        # Whatever was in flight when they were ended has been told, and is over.
        await until_ready(client)
        async with Load([client], 200, at_once=40) as load:
            reads = await asyncio.gather(*(client.get("/api/v1/stats") for _ in range(20)))
        assert load.troubles == []
        assert {answer.status_code for answer in reads} == {200}
        assert (await client.get("/health/ready")).status_code == 200
        # They are opened again as soon as there is room, without a restart.
        await system.postgres.execute(f"alter database {database} connection limit -1")
        await until_sessions(sessions, CONNECTIONS)
    await system.until_synchronized(200)


async def test_however_much_is_read_sessions_are_left_for_the_flow(system, instance):
    """All that may be read with at a time waits for a lock; users are created, and the lease renewed."""
    locked = await asyncpg.connect(system.urls.postgres_owner_url)
    transaction = locked.transaction()
    await transaction.start()
    await locked.execute("lock table prm_user_lag in access exclusive mode")
    readers = [asyncio.create_task(instance.adapters.statistics.counted()) for _ in range(3 * CONNECTIONS)]
    async with sessions_of(system) as sessions:
        await sessions.until_waiting_for_lock("instance-1")

        async def all_wait() -> bool:
            return instance.adapters.database.connections["used"] >= READING_CONNECTIONS

        await until(all_wait, "as many readers as may be")
        # The write-back waits for the same lock; creates and the lease do not.
        assert len(await create(instance, commands(20))) == 20
        await instance.background.renew_lease()
        assert instance.adapters.lease.held
        assert instance.adapters.database.connections["used"] <= READING_CONNECTIONS + 2
    await transaction.rollback()
    await locked.close()
    with suppress(Unavailable):
        await asyncio.gather(*readers)
    await system.until_synchronized(20)


async def test_a_session_that_was_ended_by_an_operator_costs_at_most_what_it_had_in_flight(system, serve):
    client = (await serve()).client
    async with sessions_of(system) as sessions:
        before = await until_sessions(sessions, CONNECTIONS)
        await sessions.terminate("instance-1")

        async def are_new() -> bool:
            return len(await sessions.pids("instance-1") - before) == CONNECTIONS

        await until(are_new, "new sessions, before anybody asks for one")
        await until_ready(client)
        assert (await send(client, b'{"email": "a@example.com"}')).status_code == 201


async def test_a_session_that_is_just_being_opened_is_closed_without_a_complaint(databases):
    """Who closes at once, as a short command does, would be told of the attempt that was cut off."""
    complaints: list[object] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: complaints.append(context))
    try:
        for tick in range(60):
            database = await Database.connect(
                databases.postgres_owner_url, name="short", deadline=timedelta(seconds=10)
            )
            for _ in range(tick % 12):
                await asyncio.sleep(0)
            await database.close()
        gc.collect()
        await asyncio.sleep(0)
    finally:
        loop.set_exception_handler(None)
    assert complaints == []
