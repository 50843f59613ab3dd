"""The feed through nginx: a stream on which nothing happens is not taken for an instance that hangs."""

import asyncio

import httpx

from subscribing import subscribe


async def post(client: httpx.AsyncClient, number: int) -> int:
    sent = await client.post("/api/v1/user-command?seed=feed", json={"email": f"{number}@example.com"})
    assert sent.status_code == 201
    return sent.json()["id"]


async def test_a_stream_goes_on_through_silence_and_another_one_after_it(stack):
    async with httpx.AsyncClient(base_url=stack.url, timeout=30) as client:
        async with subscribe(client, after="now", seed="feed", type="CREATED") as one:
            await one.heartbeat()
            users = [await post(client, 1), await post(client, 2)]
            assert [(await one.next())["id"] for _ in users] == users
            last_id = one.last_id
        async with subscribe(client, last_id, seed="feed", type="CREATED") as two:
            users = [await post(client, 3)]
            assert (await two.next())["id"] == users[0]


async def test_requests_that_wait_are_not_cut_off(stack):
    async with httpx.AsyncClient(base_url=stack.url, timeout=30) as client:
        now = (await client.get("/api/v1/events", params={"after": "now"})).headers["next-cursor"]
        query = {"after": now, "seed": "waited"}
        asked = client.get("/api/v1/events", params=query, headers={"Prefer": "wait=3"})
        answers = await asyncio.gather(*(asked, *(client.get("/health/live") for _ in range(3))))
        assert [answer.status_code for answer in answers] == [200] * 4
        assert answers[0].text == ""
