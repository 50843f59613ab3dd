"""A plan that was made while the pending table was empty serves when it is full."""

from systems import commands, create
from tandem.delivery.queries import queries_of
from tandem.postgres.database import SESSION_SETTINGS


async def test_no_statement_reads_the_whole_pending_table(system, instance):
    """Vacuumed while empty, the table looks to the planner as if it had one row for ever."""
    await create(instance, commands(50))
    await system.until_synchronized(50)
    await system.postgres.execute(FILL)
    await system.postgres.execute("delete from prm_user_pending")
    await system.postgres.execute("vacuum (analyze, truncate false) prm_user_pending")
    await system.postgres.execute(FILL)
    for name, value in SESSION_SETTINGS.items():
        await system.postgres.execute("select set_config($1, $2, false)", name, value)
    async with system.postgres.transaction():
        before = await system.count(READ)
        ids = [1000100, 1000200]
        await system.postgres.fetch(queries_of("user")["synchronize"].sql, ids, [1, 1], "instance-1", "1s", 0)
        await system.postgres.fetch(
            queries_of("user")["set_aside"].sql, [1000300], [1], ["refused"], "instance-1"
        )
        assert await system.count(READ) - before < 100
    assert await system.count("select count(*) from prm_user_pending") == 20_001 - 3


FILL = "insert into prm_user_pending select n, 1, 0, now() + '1 h' from generate_series(1000000, 1020000) n"

# Rows that this session has read lately from the table, by its index or without.
READ = """
    select pg_stat_get_xact_tuples_returned('prm_user_pending'::regclass)
         + pg_stat_get_xact_tuples_fetched('prm_user_pending'::regclass)
         + pg_stat_get_xact_tuples_returned('prm_user_pending_pkey'::regclass)
"""
