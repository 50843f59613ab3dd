"""The baselines run on real servers, and leave the rows that they are paid for."""

import hashlib

import pytest

from baselines import BASELINES, USER_TABLES, counts, looked_into, result_of, run, stages

FROZEN = {
    "schema.sql": "7dd73c36e9a53da16ba817d3c18277599a1015690ad837616888156473263294",
    "create_users.sql": "a65695b5117fcf02e8f2bbb4a0a97787d0ca26ce43dc0b37fbeae8abedbda62a",
    "synchronize_users.sql": "8062608fe67f945e4ffce491c4fd8552923f44ea32135d189395bf727e0b6308",
}


async def test_the_frozen_floor_brings_every_user_to_both_databases(databases):
    result = await result_of("frozen_floor.floor", databases, "--users", "700", "--lanes", "1", "2")
    assert {"users_per_second", "cpu_us_per_user", "users", "lanes", "tried"} == set(result)
    assert [tried["lanes"] for tried in result["tried"]] == [1, 2]
    async with looked_into(databases, "frozen_floor") as (postgres, documents):
        assert await counts(postgres, *USER_TABLES) == [1400] * 4
        assert await stages(postgres) == {"CREATED": 1400, "SYNCRONIZED": 1400}
        assert await counts(postgres, "prm_user_pending") == [0]
        assert await documents.count_documents({"currentStatus": "SYNCRONIZED"}) == 1400


async def test_a_second_run_of_the_frozen_floor_begins_afresh(databases):
    for _ in range(2):
        await result_of("frozen_floor.floor", databases, "--users", "10", "--lanes", "1")
    async with looked_into(databases, "frozen_floor") as (postgres, documents):
        assert await counts(postgres, "prm_user") == [10]
        assert await documents.count_documents({}) == 10


@pytest.mark.parametrize("name", FROZEN)
def test_the_frozen_statements_stay_as_they_are(name):
    """A mark that moves measures nothing. Whoever wants another floor makes a second one."""
    assert hashlib.sha256((BASELINES / "frozen_floor" / name).read_bytes()).hexdigest() == FROZEN[name]


async def test_the_floor_of_today_prints_what_the_frozen_one_prints(system):
    result = await result_of("floor", system.urls, "--users", "700", "--lanes", "2")
    assert {"users_per_second", "cpu_us_per_user", "users", "lanes", "tried"} == set(result)
    await system.until_synchronized(700)
    assert await system.users.count_documents({}) == 700


async def test_pgbench_leaves_every_row_of_each_user_that_it_counts(databases):
    result = await result_of("one_at_a_time", databases, "--clients", "1", "6", "--seconds", "1")
    users = sum(tried["users"] for tried in result["tried"])
    assert users > 0
    assert result["latency_ms_with_6_clients"] == result["tried"][1]["latency_ms"]
    async with looked_into(databases, "one_at_a_time") as (postgres, _):
        assert await counts(postgres, *USER_TABLES, "prm_user_pending") == [users] * 5
        assert await stages(postgres) == {"CREATED": users}
        emails, seeds = await postgres.fetchrow(
            "select count(distinct email), count(distinct seed) from prm_user"
        )
        assert (emails, seeds) == (users, 1)


async def test_join_and_document_find_the_same_users(databases):
    result = await result_of("read_join", databases, "--users", "120", "--reads", "60", "--rounds", "1")
    ways = {"one_at_a_time", "batches_of_50"}
    databases_read = {"postgresql_join", "mongodb_document"}
    assert set(result) == {"users"} | {f"{name}_{way}" for name in databases_read for way in ways}
    async with looked_into(databases, "read_join") as (postgres, documents):
        assert await counts(postgres, *USER_TABLES) == [120] * 4
        assert await documents.count_documents({}) == 120


PROGRAMS = [
    "floor",
    "frozen_floor.floor",
    "one_at_a_time",
    "plain_reads",
    "plain_way.serve",
    "read_join",
]


@pytest.mark.parametrize("program", PROGRAMS)
async def test_without_urls_a_baseline_says_what_to_do(program):
    exit_code, _, errors = await run(program)
    assert exit_code != 0
    assert "POSTGRES_URL is not set" in errors
    assert "Traceback" not in errors
