"""Lists and searches: sent in pieces, a bounded number at a time, and ended when nobody waits for them."""

import asyncio
from datetime import timedelta

import httpx
import msgspec
import pytest

from obstacles import hanging_reads
from tandem.app import run_instance
from tandem.kernel import Overloaded
from tandem.user_query import lists, search
from tandem.user_query.controller import UserQueryController
from tandem.user_query.fields import UserDocument
from tandem.user_query.lists import Listed
from tandem.user_query.search import LONG_ANSWER, Conditions, Search
from tandem.user_query.share import Share

USER = {"seed": "run", "appId": "a", "currentStatus": "SYNCRONIZED", "version": 1}


async def put_in(system, users: int, size: int = 1) -> None:
    """So many users in MongoDB, each with a text of that many characters. PostgreSQL goes on after them."""
    await system.postgres.execute("select setval('prm_user_id_seq', 1000)")
    await system.users.delete_many({})
    if users == 0:
        return
    await system.users.insert_many(
        [USER | {"_id": n, "email": f"{n}@example.com", "phone": "x" * size} for n in range(1, users + 1)]
    )


async def list_of(client, **query) -> list[UserDocument]:
    answer = await client.get("/api/v1/user-query", params=query)
    assert answer.status_code == 200, answer.text
    return msgspec.json.decode(answer.content, type=list[UserDocument])


@pytest.mark.parametrize("there", [0, 1, 24, 25, 26, 125, 126, 600])
async def test_a_list_is_the_same_however_many_pieces_it_takes(shared_system, shared_client, there):
    client = shared_client
    await put_in(shared_system, there)
    for limit in (1, 25, 26, 100, 1000):
        expected = list(range(1, min(limit, there) + 1))
        assert [user.user_id for user in await list_of(client, limit=limit)] == expected
        assert [user.user_id for user in await list_of(client, limit=limit, seed="run")] == expected
    assert await list_of(client, limit=1000, seed="nobody's") == []
    later = await list_of(client, limit=1000, after=there // 2)
    assert [user.user_id for user in later] == list(range(there // 2 + 1, there + 1))
    assert (await client.head("/api/v1/user-query?limit=1000")).status_code == 200


async def test_no_piece_of_a_list_of_large_users_is_long(system, instance):
    await put_in(system, 200, size=30_000)
    pieces = [piece async for piece in instance.flow.query_service.lists.pieces(Listed(1000, 0, "run"))]
    assert max(map(len, pieces[1:])) < 2 * lists.PIECE_SIZE
    assert len(msgspec.json.decode(b"".join(pieces))) == 200


async def test_a_search_ends_before_its_answer_becomes_long_and_goes_on_from_there(
    shared_system, shared_client
):
    client = shared_client
    await put_in(shared_system, 100, size=30_000)
    seen: list[int] = []
    after, pages = 0, 0
    while after is not None:
        answer = await client.get(f"/api/v1/user-query/search?seed=run&limit=200&after={after}")
        assert len(answer.content) < LONG_ANSWER + 40_000
        page = answer.json()
        seen += [user["_id"] for user in page["users"]]
        after, pages = page["next"], pages + 1
    assert seen == list(range(1, 101))
    assert pages > 5


async def test_so_many_at_a_time_and_the_rest_in_line():
    share = Share("test", at_a_time=2, most_waiting=3, patience=timedelta(seconds=60))
    gate = asyncio.Event()
    order: list[int] = []

    async def work(number: int) -> None:
        async with share.one():
            order.append(number)
            await gate.wait()

    tasks = [asyncio.create_task(work(number)) for number in range(5)]
    await asyncio.sleep(0)
    assert (order, share.under_way, share.waiting) == ([0, 1], 2, 3)
    with pytest.raises(Overloaded):
        await work(5)
    # Who leaves, in line or at work, makes room.
    for number in (2, 0):
        tasks[number].cancel()
        await asyncio.wait([tasks[number]])
    await asyncio.sleep(0)
    assert order == [0, 1, 3]
    gate.set()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert (order, share.under_way, share.waiting) == ([0, 1, 3, 4], 0, 0)


async def test_whoever_has_waited_too_long_is_turned_away():
    share = Share("test", at_a_time=1, most_waiting=3, patience=timedelta(milliseconds=10))
    async with share.one():
        with pytest.raises(Overloaded):
            async with share.one():
                pytest.fail("there was no room")
    async with share.one():
        assert share.waiting == 0


@pytest.mark.slow
async def test_searches_leave_room_for_the_flow_and_the_rest_gets_503(servers, system, serve):
    served = await serve("crowded", SCRUB_CPU_PERCENT="0")
    client = served.client
    await put_in(system, 10)
    limits = httpx.Limits(max_connections=None)
    async with (
        httpx.AsyncClient(base_url=client.base_url, limits=limits, timeout=60) as crowd,
        hanging_reads(servers, system) as hanging,
    ):
        answers = asyncio.gather(*(crowd.get("/api/v1/user-query/search?seed=run") for _ in range(300)))
        await hanging.until_there_are(2)
        # While all of its searches hang, nothing else is held up.
        created = await client.post("/api/v1/user-command?seed=new", json={"email": "new@example.com"})
        assert created.status_code == 201
        await system.until_synchronized(1)
        statuses = [answer.status_code for answer in await answers]
    assert set(statuses) == {503}
    assert {answer.headers["Retry-After"] for answer in answers.result()} <= {"1", "2"}
    assert (await client.get("/api/v1/user-query/search?seed=run")).status_code == 200


@pytest.mark.parametrize("what", ["a search", "a short list", "a long list"])
async def test_who_leaves_frees_its_place_and_ends_the_query_at_mongodb(servers, system, what, monkeypatch):
    await put_in(system, 10)
    # No time limit is to end what the client's leaving does not.
    monkeypatch.setattr(search, "PATIENCE_SECONDS", 600)
    async with run_instance(system.settings(database_timeout_seconds=600, scrub_cpu_percent=0)) as instance:
        service = instance.flow.query_service
        ask = {
            "a search": lambda: service.search(Search(Conditions(seed="run"), 10, 0)),
            "a short list": lambda: service.lists.short(Listed(10, 0, "run")),
            "a long list": lambda: anext(service.lists.pieces(Listed(1000, 0, "run"))),
        }[what]
        async with hanging_reads(servers, system) as hanging:
            tasks = [asyncio.ensure_future(ask()) for _ in range(2)]
            await hanging.until_there_are(2)
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
            shares = [service.searches, service.lists.queries, service.lists.long]
            assert [share.under_way for share in shares] == [0, 0, 0]
            await hanging.until_there_are(0)
        assert await ask()


async def test_a_client_that_takes_its_time_holds_no_query(system, instance):
    await put_in(system, 200)
    pieces = instance.flow.query_service.lists.pieces(Listed(1000, 0))
    await anext(pieces)
    shares = instance.flow.query_service.lists
    assert (shares.long.under_way, shares.queries.under_way) == (1, 0)
    await pieces.aclose()
    assert shares.long.under_way == 0


async def test_a_client_that_takes_too_long_gives_up_its_place(system, instance, monkeypatch):
    await put_in(system, 200)
    monkeypatch.setattr(lists, "LONGEST", timedelta(0))
    pieces = instance.flow.query_service.lists.pieces(Listed(1000, 0))
    await anext(pieces)
    with pytest.raises(Overloaded):
        await anext(pieces)
    assert instance.flow.query_service.lists.long.under_way == 0


def test_lists_and_searches_are_cancelled_when_their_client_leaves():
    routes = UserQueryController(None, None, None).routes()
    marked = {route.path for route in routes if route.cancel_on_disconnect}
    assert marked == {"/api/v1/user-query", "/api/v1/user-query/search"}
