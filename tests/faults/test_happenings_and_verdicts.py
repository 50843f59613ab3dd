"""What happens in a run is kept once, told to everybody who watches, and still there afterwards."""

import re
import signal
from datetime import UTC, datetime

from obstacles import failing_mongodb
from watching import instance_in, watch

URL = "/api/v1/user-command?seed=watched"
HAPPENINGS = "/api/v1/runs/watched/happenings"
AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


async def post(client, users: int) -> None:
    for number in range(users):
        assert (await client.post(URL, json={"email": f"{number}@example.com"})).status_code == 201


async def told_first(client, aggregate="user"):
    """What a new watcher is told."""
    async with watch(client, "watched", aggregate) as watching:
        return (await watching.next())["happenings"]


async def test_a_fault_that_is_told_once_or_twice_is_told_to_every_watcher_once(serve):
    first, second = await serve("instance-1"), await serve("instance-2")
    fault = {"at": AT.isoformat(), "kind": "fault", "text": "instance-2 was killed"}
    async with watch(first.client, "watched") as one, watch(second.client, "watched") as other:
        assert (await one.next())["happenings"] == []
        for served in (first, second):
            assert (await served.client.post(HAPPENINGS, json=fault)).status_code == 204
        for watching in (one, other):
            event = (await watching.until(lambda event: event.get("happenings")))[-1]
            assert event["happenings"] == [fault | {"at": "2026-01-02T03:04:05Z", "users": None}]
    assert await told_first(second.client) == event["happenings"]


async def test_what_is_told_must_name_a_moment_a_kind_and_a_text(shared_client):
    good = {"at": AT.isoformat(), "kind": "fault", "text": "x"}
    bad = [
        ("at", "2026-01-02T03:04:05"),
        ("at", "0001-01-01T00:00:00+14:00"),
        ("kind", "rumour"),
        ("text", ""),
        ("text", "x" * 301),
        ("text", "a\0b"),
    ]
    for field, value in bad:
        answer = await shared_client.post(HAPPENINGS, json=good | {field: value})
        assert answer.status_code == 400, (field, value)
        assert answer.json()["errors"][0]["pointer"] == f"#/{field}"
    answer = await shared_client.post(f"{HAPPENINGS}?aggregate=unicorn", json=good)
    assert answer.status_code == 400


async def test_a_run_has_the_newest_two_hundred(system, serve):
    served = await serve("instance-1")
    await system.postgres.execute(
        "insert into tandem_happening select 'user', 'watched', 'n ' || n, "
        "now() - make_interval(secs => n), 'fault', 'fault ' || n from generate_series(1, 300) n"
    )
    await system.postgres.execute(
        "insert into tandem_happening values "
        "('user', 'old', 'x', now() - interval '31 days', 'fault', 'long ago')"
    )
    assert [each["text"] for each in await told_first(served.client)][::199] == ["fault 200", "fault 1"]
    fault = {"at": datetime.now(UTC).isoformat(), "kind": "fault", "text": "one more"}
    assert (await served.client.post(HAPPENINGS, json=fault)).status_code == 204
    assert await system.count("select count(*) from tandem_happening") == 201


async def test_a_death_and_a_takeover_are_kept_once_however_many_watch(servers, system, serve):
    victim = await serve("victim", LEASE_SECONDS="2")
    others = [await serve(name, LEASE_SECONDS="2") for name in ("survivor", "witness")]
    async with watch(others[0].client, "watched") as one, watch(others[1].client, "watched") as other:
        async with failing_mongodb(servers, "victim", errorCode=91):
            await post(victim.client, 5)
            for watching in (one, other):
                await watching.until(lambda event: instance_in(event, "victim")["pending"] == 5)
            await victim.kill()
            events = [
                await watching.until(lambda event: any("took over" in text for text in texts_of(event)))
                for watching in (one, other)
            ]
        # The other one has seen it by now, too.
        for watching in (one, other):
            for _ in range(4):
                await watching.next()
    told = [{text for event in seen for text in texts_of(event)} for seen in events]
    assert "victim is gone." in told[0] & told[1]
    rows = await system.postgres.fetch("select text, amount from tandem_happening order by at")
    takeovers = [row for row in rows if "took over" in row["text"]]
    assert sum(row["amount"] for row in takeovers) == 5
    assert [row["text"] for row in rows].count("victim is gone.") == 1
    for event in await told_first(others[1].client):
        if "took over" in event["text"]:
            assert event["users"] == "/?view=runs&show=rescued&seed=watched"


def texts_of(event) -> list[str]:
    return [each["text"] for each in event.get("happenings", [])]


async def test_what_was_seen_while_postgresql_was_away_is_kept_once_it_is_back(own_servers, serve_own):
    served = await serve_own("instance-1")
    postgresql = own_servers.postgres_server
    async with watch(served.client, "watched") as watching:
        await watching.until(lambda event: event["databases"]["postgresql"] == "up")
        postgresql.process.send_signal(signal.SIGQUIT)
        await postgresql.process.wait()
        event = (await watching.until(lambda event: event.get("happenings")))[-1]
        assert texts_of(event) == ["PostgreSQL does not answer."]
        await postgresql.start()
        await watching.until(lambda event: "PostgreSQL answers again." in texts_of(event))
        for _ in range(3):
            await watching.next()
    told = [each["text"] for each in await told_first(served.client)]
    assert told[:2] == ["PostgreSQL does not answer.", "PostgreSQL answers again."]


async def verdict_of(client):
    answer = await client.post("/api/v1/runs/watched/verdict", json={"acknowledged": {"create": 5}})
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_a_verdict_says_who_died_and_was_rescued_and_has_both_stores_equal(servers, system, serve):
    victim = await serve("victim", LEASE_SECONDS="2")
    survivor = await serve("survivor", LEASE_SECONDS="2")
    async with watch(survivor.client, "watched") as watching:
        async with failing_mongodb(servers, "victim", errorCode=91):
            await post(victim.client, 5)
            await watching.until(lambda event: instance_in(event, "victim")["pending"] == 5)
            await victim.kill()
            await watching.until(lambda event: event["pending"] == 0)
        await watching.until(lambda event: any("took over" in text for text in texts_of(event)))
        # What was seen is kept with the next sample.
        await watching.next()
    verdict = await verdict_of(survivor.client)
    survived = r"one death survived, 5 users rescued within [\d.]+ s"
    expected = rf"5 users in [\d.]+ s; {survived}; 0 lost; both stores equal"
    assert re.fullmatch(expected, verdict["sentence"]), verdict["sentence"]
    assert verdict["isGood"]
    assert len(verdict["namedRescued"]) == 5
    assert verdict["namedRescued"][0]["why"].startswith("survivor, after ")
    assert "victim is gone." in [each["text"] for each in verdict["happenings"]]
    page = (await survivor.client.get("/api/v1/runs/watched/verdict.html")).text
    assert "victim is gone." in page
    assert "<polyline" in page


async def test_what_cannot_be_compared_is_not_called_equal(own_servers, serve_own):
    served = await serve_own("instance-1", DATABASE_TIMEOUT_SECONDS="2")
    await post(served.client, 5)
    mongodb = own_servers.mongodb_server.process
    mongodb.send_signal(signal.SIGSTOP)
    try:
        verdict = await verdict_of(served.client)
        while verdict["state"] == "comparing":
            verdict = (await served.client.get("/api/v1/runs/watched/verdict")).json()
    finally:
        mongodb.send_signal(signal.SIGCONT)
    assert "compared: MongoDB does not answer" in verdict["sentence"]
    assert "equal" not in verdict["sentence"]
    assert verdict["isGood"] is False
    assert verdict["inMongodb"] is None
    assert verdict["inPostgresql"] == 5
