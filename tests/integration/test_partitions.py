"""The log of users' events in partitions: a log that is there is migrated, and partitions come in time."""

import asyncio

import asyncpg
import pytest

from schemas import migrate_to, up_to
from systems import commands, create
from tandem.user_command.schema import this_schema
from tandem_lab.baselines.places import fresh_schema

PARTITIONS = "select first_id, end_id from tandem_log_partition order by 1"
ADD_EVENT = (
    "insert into prm_user_event (user_id, version, event_type, seed, app_id, created_at) "
    "values ($1, 1, 'CREATED', 'run', 'a', now()) returning id"
)


async def partitions(connection) -> list[tuple[int, int]]:
    return [tuple(row) for row in await connection.fetch(PARTITIONS)]


async def test_a_log_that_is_there_becomes_the_first_partition_with_all_that_hangs_on_it(databases):
    await migrate_to(up_to(9), databases.postgres_owner_url)
    owner = await asyncpg.connect(databases.postgres_owner_url)
    await owner.execute("select setval('prm_user_id_seq', 7000000)")
    await owner.execute("create view mine as select user_id as of_user from prm_user_event")
    await owner.execute("grant select on prm_user_event to public")
    await owner.execute("grant update (event_data, traceparent) on prm_user_event to tandem_service")
    await owner.execute(
        "create trigger tandem_mine after insert on prm_user_event "
        "for each row when (new.event_type = 'CREATED') execute function tandem_user_react('mine')"
    )
    before = await owner.fetchval(ADD_EVENT, 7_000_000)
    views = "select viewname, definition from pg_views where schemaname = 'public' order by 1"
    old_views = await owner.fetch(views)

    await migrate_to(up_to(10), databases.postgres_owner_url)
    assert await partitions(owner) == [(0, 15_000_000)]
    assert await owner.fetchval(ADD_EVENT, 14_999_999) == before + 1
    rows = await owner.fetch("select user_id, xid = '0' as is_old from prm_user_event order by xid, id")
    assert [tuple(row) for row in rows] == [(7_000_000, True), (14_999_999, False)]
    assert await owner.fetchval("select count(*) from mine") == 2
    assert await owner.fetchval("select count(*) from lab_event") == 2
    assert await owner.fetchval("select count(*) from tandem_reaction where reaction = 'mine'") == 2
    assert [row for row in await owner.fetch(views) if row["viewname"] != "tandem_log_partition"] == old_views
    rights = await owner.fetchrow(
        "select relacl::text, (select count(attacl) from pg_attribute where attrelid = oid) "
        "from pg_class where relname = 'prm_user_event'"
    )
    assert "{tandem_owner=arwdDxtm/tandem_owner,=r/tandem_owner" in rights[0]
    assert rights[1] == 2
    await owner.close()


async def test_whoever_is_stopped_between_the_steps_migrates_again(databases):
    url = databases.postgres_owner_url
    await migrate_to(up_to(9), url)
    owner, writer = await asyncpg.connect(url), await asyncpg.connect(url)
    first, by_itself, *_ = this_schema().migrations[10].steps
    await owner.execute(first.sql)
    async with writer.transaction():
        await writer.execute(ADD_EVENT, 1)
        await owner.execute("set lock_timeout = '50ms'")
        with pytest.raises(asyncpg.LockNotAvailableError):
            await owner.execute(by_itself.statements[-1])
    invalid = "select count(*) from pg_index where not indisvalid"
    assert await owner.fetchval(invalid) == 1
    await owner.execute("select setval('prm_user_id_seq', 9000000)")
    assert await migrate_to(up_to(10), url) == ["010_log.sql"]
    assert await partitions(owner) == [(0, 15_000_000)]
    assert await owner.fetchval(invalid) == 0
    await owner.close()
    await writer.close()


async def test_the_partition_of_the_next_ids_and_the_one_after_it_are_there(system, instance):
    assert await partitions(system.postgres) == [(0, 5_000_000), (5_000_000, 10_000_000)]
    await system.postgres.execute("select setval('prm_user_id_seq', 5000000)")
    await instance.adapters.users.extend_log()
    assert (await partitions(system.postgres))[2:] == [(10_000_000, 15_000_000)]
    await create(instance, commands(2))
    await system.until_synchronized(2)
    assert await system.count("select count(*) from prm_user_event_p5000000") == 4


async def test_users_are_created_where_ids_have_jumped_and_nobody_has_seen_it_yet(system, instance):
    await system.postgres.execute("select setval('prm_user_id_seq', 2000000000)")
    await asyncio.gather(*(create(instance, commands(2, seed=f"run-{number}")) for number in range(3)))
    await system.until_synchronized(6)
    assert await system.count("select count(*) from prm_user_event where user_id > 2000000000") == 12


async def test_a_history_begins_with_a_partition_also_for_programs_that_know_none(system):
    await system.postgres.execute(
        "insert into tandem_history (number, history, highest_id, first_id) values (7, 'x', 1, 123456789)"
    )
    assert (120_000_000, 125_000_000) in await partitions(system.postgres)


async def test_a_partition_is_made_beside_a_transaction_that_reads_and_writes_the_log(system):
    other = await asyncpg.connect(system.urls.postgres_owner_url)
    async with other.transaction():
        await other.execute(ADD_EVENT, 1)
        await other.fetch("select * from prm_user_event")
        await system.postgres.execute("select tandem_extend_log(30000000)")
        await system.postgres.execute(ADD_EVENT, 30_000_001)
    await other.close()
    assert await system.count("select count(*) from prm_user_event_p30000000") == 1


async def test_all_functions_of_the_log_look_into_the_schema_that_they_are_in(system):
    elsewhere = await asyncpg.connect(await fresh_schema(system.urls.postgres_owner_url, "elsewhere"))
    try:
        await elsewhere.execute("insert into tandem_history values (1, 'a', 0, 1), (2, 'b', 0, 7000001)")
        assert await elsewhere.fetchval("select count(*) from elsewhere.tandem_feed_era") == 1
        assert await system.count("select count(*) from public.tandem_feed_era") == 0
        assert await elsewhere.fetchval("select count(*) from tandem_log_partition where first_id = 5000000")
        (kept,) = await elsewhere.fetchrow(
            "select tandem_empty_partition('prm_user_event_p0', pg_current_snapshot())"
        )
        assert kept == 0
    finally:
        await elsewhere.close()
