"""The feed through running instances: pages, waiting, the stream, and the command line."""

import asyncio

import msgspec
import pytest

from command_line import TANDEM, run_tandem
from subscribing import subscribe

EVENTS = "/api/v1/events"
CHANGES = "CREATED,UPDATED,DELETED,ERASED"


async def post(client, number, seed="s"):
    sent = await client.post(f"/api/v1/user-command?seed={seed}", json={"email": f"{number}@example.com"})
    assert sent.status_code == 201
    return sent.json()["id"]


async def read(client, **query):
    """One page, and the cursor after it."""
    answer = await client.get(EVENTS, params=query)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/x-ndjson"
    return [msgspec.json.decode(line) for line in answer.text.splitlines()], answer.headers["next-cursor"]


@pytest.fixture
async def client(serve):
    return (await serve("instance-1")).client


async def test_the_life_of_a_user_is_told_in_order_and_without_its_data_after_it_was_erased(client, system):
    user_id = await post(client, 1)
    path = f"/api/v1/user-command/{user_id}"
    patch = {"Content-Type": "application/merge-patch+json"}
    assert (await client.patch(path, content='{"phone": "555"}', headers=patch)).status_code == 200
    events, _ = await read(client, type=CHANGES)
    assert [(event["type"], event["version"]) for event in events] == [("CREATED", 1), ("UPDATED", 2)]
    first = events[0]
    assert (first["kind"], first["id"], first["seed"]) == ("user", user_id, "s")
    assert (first["appId"], first["history"], first["unreadable"]) == ("instance-1", 1, None)
    assert (first["data"]["email"], events[1]["data"]) == ("1@example.com", {"phone": "555"})
    assert (await client.delete(f"{path}?erase=true")).status_code == 204
    events, _ = await read(client, type=CHANGES)
    assert [(event["type"], event["data"]) for event in events] == [
        ("CREATED", None),
        ("UPDATED", None),
        ("ERASED", None),
    ]


async def test_pages_go_on_after_the_last_one_and_name_what_is_no_cursor(client):
    ids = [await post(client, number) for number in range(5)]
    found, cursor = [], ""
    while len(found) < 5:
        events, cursor = await read(client, after=cursor, limit="2", type="CREATED")
        found += events
    assert [event["id"] for event in found] == ids
    for query in ({"after": "7"}, {"after": "1-1-x-user-1"}, {"kind": "nothing"}, {"limit": "1001"}):
        refused = await client.get(EVENTS, params=query)
        assert (refused.status_code, refused.json()["errors"][0]["parameter"]) == (400, next(iter(query)))
    refused = await client.get(EVENTS, params={"after": "1-1-999999999-user-1"})
    assert refused.status_code == 410
    assert "Begin anew" in refused.json()["detail"]


async def test_who_waits_gets_what_comes_next(client):
    _, now = await read(client, after="now")
    asked = client.get(EVENTS, params={"after": now, "type": "CREATED"}, headers={"Prefer": "wait=10"})
    waiting = asyncio.create_task(asked)
    await asyncio.sleep(0)
    user_id = await post(client, 1)
    answer = await waiting
    assert answer.headers["preference-applied"] == "wait=10"
    assert [msgspec.json.decode(line)["id"] for line in answer.text.splitlines()] == [user_id]


async def test_a_stream_tells_what_comes_and_another_goes_on_after_the_last_id(client, serve):
    ids = [await post(client, number) for number in range(3)]
    async with subscribe(client, type="CREATED") as one:
        first = [(await one.next())["id"] for _ in range(2)]
        last_id = one.last_id
    ids.append(await post(client, 4))
    other = (await serve("instance-2")).client
    async with subscribe(other, last_id, type="CREATED") as two:
        rest = [(await two.next())["id"] for _ in range(2)]
        ids.append(await post(client, 5))
        rest.append((await two.next())["id"])
    assert first + rest == ids
    refused = await client.get(EVENTS, headers={"Accept": "text/event-stream", "Last-Event-ID": "x"})
    assert refused.status_code == 400


async def test_tail_prints_the_feed_and_what_events_carry_only_when_asked(client):
    await post(client, 1, seed="a")
    await post(client, 2, seed="b")
    url = str(client.base_url)
    exit_code, said = await run_tandem("events", "tail", "--url", url, "--type", "CREATED")
    assert (exit_code, len(said.splitlines()), "example.com" in said) == (0, 2, False)
    exit_code, said = await run_tandem("events", "tail", "--url", url, "--seed", "b", "--json")
    assert {msgspec.json.decode(line)["seed"] for line in said.splitlines()} == {"b"}
    assert "2@example.com" in said
    exit_code, said = await run_tandem("events", "tail", "--url", url, "--after", "nonsense")
    assert (exit_code, "is no cursor" in said, "Traceback" in said) == (1, True, False)


async def test_tail_follows_through_the_death_of_the_instance(serve, system):
    served = await serve("instance-1")
    user_id = await post(served.client, 1)
    port = str(served.client.base_url.port)
    process = await asyncio.create_subprocess_exec(
        *TANDEM,
        *("events", "tail", "-f", "--type", "CREATED", "--url", f"http://127.0.0.1:{port}"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(60):
        assert f"user {user_id} " in (await process.stdout.readline()).decode()
        await served.kill()
        assert "does not answer" in (await process.stderr.readline()).decode()
        again = await serve("instance-2", PORT=port)
        other = await serve("instance-3")
        user_id = await post(other.client, 2)
        assert f"user {user_id} " in (await process.stdout.readline()).decode()
    process.terminate()
    await process.communicate()
    assert again.process.returncode is None
