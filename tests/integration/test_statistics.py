"""Statistics agree with the described query, which runs verbatim."""

from systems import commands, create, statistics
from tandem.app import run_instance

DESCRIBED_QUERY = """
select seed, app_id,
count(*) total,
min(created_at), max(created_at),
(max(created_at), min(created_at)) duration
from prm_user
group by seed, app_id
order by 1, 2
"""


async def test_the_described_query_runs_verbatim_and_agrees(system):
    for app_id in ("instance-1", "instance-2"):
        async with run_instance(system.settings(app_id)) as instance:
            for seed in ("a", "b"):
                await create(instance, commands(30, seed))
    await system.until_synchronized(120)
    described = await system.postgres.fetch(DESCRIBED_QUERY)
    async with run_instance(system.settings()) as instance:
        rows = await statistics(instance)
        assert await statistics(instance, "b") == [row for row in rows if row.seed == "b"]
    assert [(row.seed, row.app_id, row.total) for row in rows] == [tuple(row)[:3] for row in described]
    assert [(row.first_created_at, row.last_created_at) for row in rows] == [
        tuple(row)[3:5] for row in described
    ]
    assert all(row.synchronized == row.total and row.pending == 0 for row in rows)
    assert all(row.lag_ms is not None for row in rows)


async def test_no_two_commits_wait_for_the_same_counter(system, instance):
    """A transaction that has counted and stays open does not hold up another."""
    async with system.postgres.transaction():
        await system.postgres.execute(
            "insert into prm_user_count (seed, app_id, backend, total) "
            "values ('run', 'instance-1', pg_backend_pid(), 0)"
        )
        await create(instance, commands(10))
        await system.until_synchronized(10)
