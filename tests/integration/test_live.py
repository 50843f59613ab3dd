"""Watching a run through real instances."""

import asyncio
import contextlib

import msgspec
import pytest

from systems import commands, create
from tandem.http.problems import ProblemError
from tandem.http.requests import Request
from tandem.postgres.database import SESSION_SETTINGS
from tandem.runs.live import LiveController, LiveQuery
from tandem.runs.live_feed import MOST_RUNS, MOST_WATCHERS, OPENING
from tandem.runs.queries import QUERIES
from waiting import until
from watching import instance_in, watch

URL = "/api/v1/user-command?seed=watched"


async def post(client, users: int) -> None:
    for number in range(users):
        assert (await client.post(URL, json={"email": f"{number}@example.com"})).status_code == 201


def is_whole(users: int):
    """Whether an event says that so many users went all the way."""
    return lambda event: set(event["stages"].values()) == {users}


async def test_two_instances_tell_the_same(serve):
    first, second = await serve("instance-1"), await serve("instance-2")
    async with watch(first.client, "watched") as one, watch(second.client, "watched") as other:
        await asyncio.gather(post(first.client, 12), post(second.client, 8))
        events = [(await watching.until(is_whole(20)))[-1] for watching in (one, other)]
    assert [event["appId"] for event in events] == ["instance-1", "instance-2"]
    for event in events:
        assert (event["seed"], event["pending"], event["deadLetters"]) == ("watched", 0, 0)
        assert 0 < event["lagMs"]["p50"] <= event["lagMs"]["p99"]
        assert event["databases"] == {"postgresql": "up", "mongodb": "up"}
        parts = [(part["appId"], part["total"], part["synchronized"]) for part in event["instances"]]
        assert parts == [("instance-1", 12, 12), ("instance-2", 8, 8)]
        assert {part["state"] for part in event["instances"]} == {"ready"}
    assert events[0]["lagMs"]["p99"] == events[1]["lagMs"]["p99"]


async def test_the_history_survives_a_reload_and_another_instance_has_it_too(serve):
    first, second = await serve("instance-1"), await serve("instance-2")
    async with watch(first.client, "watched") as watching:
        assert (await watching.next())["history"] == []
        for users in (3, 6):
            await post(first.client, 3)
            await watching.until(is_whole(users))
        # What was sampled is kept with a later sample.
        later = [await watching.next() for _ in range(3)]
    assert all("history" not in event for event in later)
    histories = []
    for served in (first, second):
        async with watch(served.client, "watched") as watching:
            histories.append((await watching.next())["history"])
    assert histories[0] == histories[1]
    seconds, accepted, stored, projected, synchronized, lags, oldest = zip(*histories[0], strict=True)
    assert list(seconds) == sorted(set(seconds))
    assert accepted[-1] == stored[-1] == projected[-1] == synchronized[-1] == 6
    assert list(synchronized) == sorted(synchronized)
    assert any(lag is not None for lag in lags)
    assert oldest[-1] == 0


async def test_too_many_and_too_old_samples_are_cleared_away(system, serve):
    await system.postgres.execute(
        "insert into prm_run_sample select 'watched', extract(epoch from now())::bigint - n, 1, 1, 1, 1, "
        "null from generate_series(1, 900) n"
    )
    await system.postgres.execute("insert into prm_run_sample values ('old', 1, 1, 1, 1, 1, null)")
    served = await serve("instance-1")
    async with watch(served.client, "watched") as watching:
        assert len((await watching.next())["history"]) == 600
    assert await system.count("select count(*) from prm_run_sample") == 600


async def test_fifty_watchers_cost_no_more_queries_than_one_and_nobody_costs_none(system, instance):
    await create(instance, commands(5, "watched"))
    streams = [instance.live.watch("watched") for _ in range(50)]
    for _ in range(4):  # the opening, the first event, and two more
        frames = await asyncio.gather(*(anext(stream) for stream in streams))
    assert instance.live.samples_taken == 3
    assert set(frames) == {frames[0]}
    for stream in streams:
        await stream.aclose()
    assert instance.live.watchers == 0
    await renewals(system, 3)
    assert instance.live.samples_taken == 3


async def renewals(system, times: int) -> None:
    """Wait until the lease was renewed so often: that is a second each."""
    for _ in range(times):
        before = await system.postgres.fetchval("select renewed_at from tandem_instance")

        async def is_renewed(before=before) -> bool:
            return await system.postgres.fetchval("select renewed_at from tandem_instance") > before

        await until(is_renewed, "a renewal")


async def test_a_slow_watcher_misses_events_and_gets_the_newest(instance):
    slow, quick = instance.live.watch("watched"), instance.live.watch("watched")
    await anext(slow)
    first = event_of(await anext(slow))
    for _ in range(5):
        frame = await anext(quick)
    assert event_of(await anext(slow))["at"] > event_of(frame)["at"] > first["at"]
    await slow.aclose()
    await quick.aclose()


def event_of(frame: bytes) -> dict:
    return msgspec.json.decode(frame.removeprefix(b"data: "))


async def test_there_is_room_for_so_many_watchers_and_runs_and_no_more(instance):
    async with contextlib.AsyncExitStack() as open_streams:

        async def begin(seed: str) -> bytes | None:
            stream = instance.live.watch(seed)
            open_streams.push_async_callback(stream.aclose)
            return await anext(stream, None)

        assert {await begin(f"run {number}") for number in range(MOST_RUNS)} == {OPENING}
        assert await begin("one run more") is None
        with pytest.raises(ProblemError, match="Too many"):
            await LiveController(instance.feeds).watch(Request(None, LiveQuery("one run more"), None))
        assert {await begin("run 1") for _ in range(MOST_WATCHERS - MOST_RUNS)} == {OPENING}
        assert await begin("run 1") is None
    assert await begin_again(instance)


async def begin_again(instance) -> bool:
    stream = instance.live.watch("one run more")
    await until(lambda: has_room(instance), "room again")
    try:
        return await anext(stream) == OPENING
    finally:
        await stream.aclose()


async def has_room(instance) -> bool:
    return instance.live.has_room_for("one run more")


async def test_a_run_must_be_named(shared_client):
    for path in ("/api/v1/live", "/api/v1/live?seed=", "/api/v1/live?seed=" + "x" * 101):
        answer = await shared_client.get(path)
        assert answer.status_code == 400
        assert answer.json()["errors"][0]["parameter"] == "seed"


async def test_a_stream_ends_in_order_when_its_instance_stops(serve):
    first, second = await serve("instance-1"), await serve("instance-2")
    async with watch(first.client, "watched") as one, watch(second.client, "watched") as other:
        await one.until(lambda event: len(event["instances"]) == 2)
        assert await second.terminate() == 0
        await other.rest()
        await one.until(lambda event: instance_in(event, "instance-2")["state"] == "gone")


async def test_a_sample_reads_few_rows_however_many_users_there_are(system, instance):
    await create(instance, commands(5, "watched"))
    await system.until_synchronized(5)
    await system.postgres.execute(
        "insert into prm_user (id, email, seed, app_id, status, version, created_at) "
        "select n, 'a@b', 'watched', 'x', 'CREATED', 1, now() from generate_series(1000001, 1020000) n"
    )
    await system.postgres.execute(
        "insert into prm_user_pending select id, 1, 0, now() + '1 h' from prm_user where id > 1000000"
    )
    for name, value in SESSION_SETTINGS.items():
        await system.postgres.execute("select set_config($1, $2, false)", name, value)
    async with system.postgres.transaction():
        before = await system.count(READ)
        await system.postgres.fetch(QUERIES["sample_runs"].sql, ["watched"], [0])
        assert await system.count(READ) - before < 500


async def test_other_runs_users_hide_how_long_ones_own_have_waited_and_say_how_long_at_most(system, instance):
    await system.postgres.execute(
        "insert into prm_user (id, email, seed, app_id, status, version, created_at) select n, 'a@b', "
        "case when n > 1000150 then 'watched' else 'other' end, 'x', 'CREATED', 1, now() "
        "from generate_series(1000001, 1000151) n"
    )
    await system.postgres.execute(
        "insert into prm_user_pending select id, 1, 0, now() - make_interval(secs => 1000300 - id) "
        "from prm_user where id > 1000000"
    )
    found = await system.postgres.fetchval(QUERIES["sample_runs"].sql, ["watched", "other"], [0, 0])
    snapshot = msgspec.json.decode(found)
    oldest = {run["seed"]: run["oldestPendingSeconds"] for run in snapshot["runs"]}
    assert oldest["watched"] is None
    assert oldest["other"] == snapshot["oldestPendingSeconds"] > 290


# Rows that this session has read lately from the tables that grow with users, by an index or without.
READ = " + ".join(
    f"pg_stat_get_xact_tuples_{how}('{relation}'::regclass)"
    for relation in ("prm_user", "prm_user_pkey", "prm_user_pending", "prm_user_pending_pkey")
    for how in ("returned", "fetched")
).join(("select ", ""))
