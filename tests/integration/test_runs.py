"""The list of runs, and the described query over HTTP."""

import asyncio

import asyncpg
import pytest

from systems import commands, create
from tandem.app import run_instance
from tandem.runs.queries import QUERIES
from waiting import until


@pytest.fixture
async def client(serve):
    return (await serve("observer")).client


async def create_runs(system, seeds, users: int = 3) -> None:
    """Runs one after the other, each through two instances."""
    async with (
        run_instance(system.settings("instance-1")) as first,
        run_instance(system.settings("instance-2")) as second,
    ):
        for seed in seeds:
            await create(first, commands(users, seed))
            await create(second, commands(users, seed))
    await system.until_synchronized(2 * users * len(seeds))


async def test_a_run_is_one_row_whichever_instances_had_part_in_it(system, client):
    await create_runs(system, ["only"], users=5)
    answer = (await client.get("/api/v1/runs")).json()
    first, last = await system.postgres.fetchrow("select min(created_at), max(created_at) from prm_user")
    (run,) = answer["runs"]
    assert answer["next"] is None
    assert (run["seed"], run["total"], run["synchronized"], run["pending"]) == ("only", 10, 10, 0)
    assert (run["deadLetters"], run["takenOver"]) == (0, 0)
    assert run["instances"] == ["instance-1", "instance-2"]
    assert run["durationSeconds"] == pytest.approx((last - first).total_seconds())
    assert run["usersPerSecond"] == pytest.approx(10 / run["durationSeconds"], abs=0.1)
    assert 0 < run["lagMs"]["p50"] <= run["lagMs"]["p95"] <= run["lagMs"]["p99"]


async def test_pages_of_runs_follow_each_other_without_gap_or_overlap(system, client):
    seeds = [f"سری {number}" for number in range(5)]
    await create_runs(system, seeds)
    # Two that end in the same moment are told apart by their seeds.
    await system.postgres.execute(
        "update prm_user_count set last_created_at = '2026-01-01' where seed > $1", seeds[2]
    )
    seen: list[str] = []
    cursor = ""
    while cursor is not None:
        answer = (await client.get("/api/v1/runs", params={"limit": 2, "before": cursor})).json()
        seen += [run["seed"] for run in answer["runs"]]
        cursor = answer["next"]
    assert seen == [seeds[2], seeds[1], seeds[0], seeds[4], seeds[3]]


async def test_a_bad_page_of_runs_is_named(shared_client):
    for query in ("limit=0", "limit=201", "before=nonsense", "before=%C3%A9", "before=W10="):
        answer = await shared_client.get(f"/api/v1/runs?{query}")
        assert answer.status_code == 400
        assert answer.json()["errors"][0]["parameter"] == query.partition("=")[0]


async def test_the_described_query_runs_as_it_is_written(system, client):
    await create_runs(system, ["a", "b"])
    answer = (await client.get("/api/v1/stats/described")).json()
    assert answer["sql"] == QUERIES["described_statistics"].sql
    expected = await system.postgres.fetch(answer["sql"])
    assert answer["columns"] == list(expected[0].keys())
    assert [row[:3] for row in answer["rows"]] == [list(row)[:3] for row in expected]
    assert all(row[5] == [row[4], row[3]] for row in answer["rows"])
    assert answer["rowsInAll"] == 4
    of_one = (await client.get("/api/v1/stats/described?seed=b")).json()
    assert of_one["rows"] == answer["rows"][2:]
    assert of_one["rowsInAll"] == 4


async def test_a_second_described_query_at_the_same_time_is_refused(system, client):
    owner = await asyncpg.connect(system.urls.postgres_owner_url)
    try:
        async with owner.transaction():
            await owner.execute("lock table prm_user in access exclusive mode")
            first = asyncio.create_task(client.get("/api/v1/stats/described"))

            async def is_waiting() -> bool:
                return await system.count("select count(*) from pg_locks where not granted") > 0

            await until(is_waiting, "the first waits for the lock")
            second = await client.get("/api/v1/stats/described")
        assert (await first).status_code == 200
    finally:
        await owner.close()
    assert (second.status_code, second.headers["retry-after"]) == (503, "2")


@pytest.mark.slow
async def test_a_described_query_that_takes_too_long_says_what_to_do(system, client):
    owner = await asyncpg.connect(system.urls.postgres_owner_url)
    try:
        async with owner.transaction():
            await owner.execute("lock table prm_user in access exclusive mode")
            answer = await client.get("/api/v1/stats/described")
    finally:
        await owner.close()
    assert answer.status_code == 503
    assert "/api/v1/runs" in answer.json()["detail"]
    assert (await client.get("/api/v1/stats/described")).status_code == 200
