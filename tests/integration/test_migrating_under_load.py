"""Migrations beside readers that do not end: the migration waits, nobody else does."""

import asyncio
import contextlib
from datetime import timedelta

import asyncpg
import pytest

from command_line import run_tandem
from schemas import (
    ADDITIVE,
    DEADLINE,
    NEXT,
    QUICK,
    Reports,
    Writers,
    migrate_to,
    open_reader,
    up_to,
    with_one_more,
)
from systems import commands, create
from tandem.kernel import UnsuitableServer
from tandem.user_command.migrate import ADVISORY_LOCK, Patience, migrate
from tandem.user_command.schema import this_schema

IMPATIENT = Patience(QUICK.one_try, QUICK.rest, in_all=timedelta(0))


@pytest.mark.parametrize("number", sorted(this_schema().migrations))
async def test_each_migration_waits_for_an_open_reader_and_writers_go_on(databases, number):
    url = databases.postgres_owner_url
    await migrate_to(up_to(number - 1), url)
    reports, writers = Reports(), Writers()
    async with open_reader(url), writers.writing(url):
        migrating = asyncio.create_task(migrate_to(up_to(number), url, reports))
        # A migration that only makes new tables has nobody to wait for.
        waiting = asyncio.create_task(reports.until(1))
        await asyncio.wait({migrating, waiting}, return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        if not migrating.done():
            rounds = writers.rounds
            await reports.until(3)
            assert writers.rounds > rounds
            # On a busy machine it cannot always find out in time who that is.
            while not any("(pg_dump, as tandem_owner)" in said for said in reports):
                await reports.until(len(reports) + 1)
            assert not migrating.done()
    assert await migrating == [this_schema().migrations[number].name]


async def test_users_are_created_and_projected_while_a_migration_waits(system, instance):
    reports = Reports()
    url = system.urls.postgres_owner_url
    async with open_reader(url):
        migrating = asyncio.create_task(migrate_to(with_one_more(ADDITIVE), url, reports))
        await reports.until(1)
        for number in range(5):
            await create(instance, commands(20, seed=f"run-{number}"))
        assert not migrating.done()
    await migrating
    await create(instance, commands(20, seed="after"))
    await system.until_synchronized(120)


async def test_who_holds_the_lock_for_too_long_is_named_and_nothing_is_done(system):
    url = system.urls.postgres_owner_url
    async with open_reader(url) as reader:
        with pytest.raises(UnsuitableServer, match=f"pid {reader.get_server_pid()} .pg_dump.*--lock-wait"):
            await migrate_to(with_one_more(ADDITIVE), url, patience=IMPATIENT)
        # Nobody waits behind it any more.
        async with asyncio.timeout(30), system.postgres.transaction():
            await system.postgres.execute("lock table prm_user in row exclusive mode")
    assert await system.count("select count(*) from tandem_migration where number = $1", NEXT) == 0
    assert await migrate_to(with_one_more(ADDITIVE), url) == [f"{NEXT:03}_one_more.sql"]


async def test_an_open_writer_makes_it_wait_as_well_and_a_deadlock_is_tried_again(system):
    """The migration has prm_user and wants prm_user_event; the other way round for somebody else."""
    url = system.urls.postgres_owner_url
    sql = f"{ADDITIVE};\nALTER TABLE prm_user_event ADD COLUMN mood text"
    reports = Reports()
    other = await asyncpg.connect(url)
    transaction = other.transaction()
    await transaction.start()
    await other.execute("lock table prm_user_event in row exclusive mode")
    patient = Patience(timedelta(seconds=20), QUICK.rest, QUICK.in_all)
    migrating = asyncio.create_task(migrate_to(with_one_more(sql), url, reports, patient))
    async with asyncio.timeout(60):
        while not await system.count("select count(*) from pg_locks where not granted"):
            await asyncio.sleep(0.01)
    # One of the two is told of the deadlock.
    with contextlib.suppress(asyncpg.DeadlockDetectedError):
        await other.execute("lock table prm_user in row exclusive mode")
    await other.close()
    assert await migrating == [f"{NEXT:03}_one_more.sql"]


async def test_a_second_migration_says_whom_it_waits_for(databases):
    url = databases.postgres_owner_url
    reports = Reports()
    first = await asyncpg.connect(url, server_settings={"application_name": "tandem migrate"})
    await first.execute("select pg_advisory_lock($1)", ADVISORY_LOCK)
    second = asyncio.create_task(migrate(url, DEADLINE, patience=QUICK, report=reports))
    await reports.until(2)
    assert f"pid {first.get_server_pid()} (tandem migrate, as tandem_owner)" in reports[0]
    with pytest.raises(UnsuitableServer, match="tandem migrate, as tandem_owner"):
        await migrate(url, DEADLINE, patience=IMPATIENT)
    await first.close()
    assert len(await second) == len(this_schema().migrations)


async def test_the_table_of_migrations_itself_waits_the_same_way(databases):
    """A database from before the version that remembers which migrations are additive."""
    url = databases.postgres_owner_url
    connection = await asyncpg.connect(url)
    await connection.execute("create table tandem_migration (number integer primary key, name text not null)")
    reports = Reports()
    async with open_reader(url):
        migrating = asyncio.create_task(migrate_to(this_schema(), url, reports))
        await reports.until(2)
        assert "pg_dump" in reports[0]
    assert len(await migrating) == len(this_schema().migrations)
    await connection.close()


async def test_the_command_line_tells_the_progress_and_what_to_do(system):
    reader = await asyncpg.connect(system.urls.postgres_owner_url)
    await reader.execute("select pg_advisory_lock($1)", ADVISORY_LOCK)
    urls = {"POSTGRES_URL": system.urls.postgres_owner_url, "MONGODB_URL": system.urls.mongodb_owner_url}
    code, said = await run_tandem("migrate", "--lock-wait", "0.5", **urls)
    await reader.close()
    assert code == 1
    assert "(try 1); other sessions go on." in said
    assert said.splitlines()[-1].startswith("Error: ")
    assert "pg_terminate_backend" in said
    assert "Traceback" not in said
