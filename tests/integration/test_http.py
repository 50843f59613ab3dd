"""The HTTP faces of one served instance, friendly and hostile."""

import asyncio
import json

import msgspec
import pytest

from places import RANDOM_USER_ANSWERS
from tandem.random_users import random_users
from waiting import until

URL = "/api/v1/user-command?seed=http"


@pytest.fixture
async def client(serve):
    """A client of an instance with databases of its own."""
    return (await serve("instance-1")).client


async def read_back(client, user_id: int) -> dict:
    """The user on the query side, once it is there."""
    found: list[dict] = []

    async def is_there() -> bool:
        answer = await client.get(f"/api/v1/user-query/{user_id}")
        found.append(answer.json())
        return answer.status_code == 200

    await until(is_there, f"user {user_id} in MongoDB")
    return found[-1]


def real_users() -> list[dict]:
    return [user for path in RANDOM_USER_ANSWERS for user in json.loads(path.read_text("utf-8"))["results"]]


async def test_real_users_are_read_back_field_by_field(system, client):
    sent = real_users()
    answers = await asyncio.gather(*(client.post(URL, json=user) for user in sent))
    assert {answer.status_code for answer in answers} == {201}
    await system.until_synchronized(len(sent))
    for user, answer in zip(sent, answers, strict=True):
        created = answer.json()
        assert answer.headers["location"] == f"/api/v1/user-command/{created['id']}"
        assert (created["email"], created["seed"], created["appId"]) == (user["email"], "http", "instance-1")
        assert (created["status"], created["version"]) == ("CREATED", 1)
        expected = user | {
            "_id": created["id"],
            "seed": "http",
            "appId": "instance-1",
            "currentStatus": "SYNCRONIZED",
            "version": 1,
            "login": {key: user["login"][key] for key in ("uuid", "username")},
            "location": user["location"] | {"postcode": str(user["location"]["postcode"])},
        }
        assert (await client.get(f"/api/v1/user-query/{created['id']}")).json() == expected


async def test_the_normalized_rows_say_the_same(system, client):
    user = msgspec.to_builtins(next(random_users("rows", 0, 1)))
    created = (await client.post(URL, json=user)).json()
    await system.until_synchronized(1)
    rows = (await client.get(f"/api/v1/user-command/{created['id']}")).json()
    assert (rows["title"], rows["firstName"], rows["lastName"]) == tuple(user["name"].values())
    assert rows["location"]["country"]["name"] == user["location"]["country"]
    assert rows["location"]["timezone"]["utcOffset"] == user["location"]["timezone"]["offset"]
    assert rows["login"] == {key: user["login"][key] for key in ("uuid", "username")}
    assert rows["picture"] == user["picture"]
    assert rows["status"] == "SYNCRONIZED"
    assert [event["eventType"] for event in rows["events"]] == ["CREATED", "SYNCRONIZED"]
    assert rows["events"][0]["eventData"]["email"] == user["email"]


async def test_a_bare_email_is_a_user_everywhere(shared_client):
    created = (await shared_client.post(URL, json={"email": "bare@example.com"})).json()
    document = await read_back(shared_client, created["id"])
    assert set(document) == {"_id", "seed", "appId", "currentStatus", "version", "email"}
    rows = (await shared_client.get(f"/api/v1/user-command/{created['id']}")).json()
    assert (rows["location"], rows["login"], rows["picture"]) == (None, None, None)


async def test_an_email_finds_its_newest_user(system, client):
    email = "جین+shared@example.com"
    ids = [(await client.post(URL, json={"email": email})).json()["id"] for _ in range(3)]
    await system.until_synchronized(3)
    answer = await client.get("/api/v1/user-query/email", params={"email": email})
    assert answer.json()["_id"] == max(ids)
    assert (await client.get("/api/v1/user-query/email?email=nobody@example.com")).status_code == 404


async def test_pages_follow_each_other_without_gap_or_overlap(system, client):
    for seed, count in (("one", 25), ("two", 5)):
        for number in range(count):
            await client.post(f"/api/v1/user-command?seed={seed}", json={"email": f"{number}@example.com"})
    await system.until_synchronized(30)
    assert len((await client.get("/api/v1/user-query")).json()) == 10
    seen: list[int] = []
    while page := (
        await client.get(f"/api/v1/user-query?limit=7&seed=one&after={seen[-1] if seen else 0}")
    ).json():
        seen += [user["_id"] for user in page]
    assert seen == sorted(set(seen))
    assert len(seen) == 25


@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        ("", "seed"),
        ("seed=", "seed"),
        ("seed=" + "x" * 101, "seed"),
        ("seed=%00", "seed"),
        ("seed=a&seed=b", "seed"),
        ("seed=%ff", "seed"),
    ],
)
async def test_a_bad_seed_is_named(shared_client, query, parameter):
    answer = await shared_client.post(f"/api/v1/user-command?{query}", json={"email": "a@b"})
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["errors"][0]["parameter"] == parameter


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=1001", "limit=x", "limit=1.5", "after=-1", "after=99999999999999999999"]
)
async def test_a_bad_page_is_named(shared_client, query):
    answer = await shared_client.get(f"/api/v1/user-query?{query}")
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["parameter"] == query.partition("=")[0]


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "#/email"),
        ({"email": None}, "#/email"),
        ({"email": "no"}, "#/email"),
        ({"email": "a@b", "location": {"postcode": {}}}, "#/location/postcode"),
        ({"email": "a@b", "location": {"street": {"number": 2**40}}}, "#/location/street/number"),
        ({"email": "a@b", "name": {"first": "x" * 201}}, "#/name/first"),
        ({"email": "a@b", "name": {"first": "nul\x00"}}, "#/name/first"),
        ({"email": "a@b", "phone": "\ud800"}, "#/phone"),
        ({"email": "a@b", "dob": 10**30}, "#/dob"),
        ({"email": "a@b", "dob": {"date": "soon"}}, "#/dob/date"),
        ({"email": "a@b", "dob": {"age": 10**9}}, "#/dob/age"),
        ([], "#"),
    ],
)
async def test_a_bad_field_is_named(shared_client, body, pointer):
    answer = await shared_client.post(
        URL, content=json.dumps(body), headers={"content-type": "application/json"}
    )
    assert answer.status_code == 400, answer.text
    assert answer.json()["errors"][0]["pointer"] == pointer
    assert answer.json()["errors"][0]["detail"]


@pytest.mark.parametrize(
    ("content", "media_type", "status"),
    [
        (b"{", "application/json", 400),
        (b"", "application/json", 400),
        (b"\xff\xfe", "application/json", 400),
        (b'{"email": "\xff@b"}', "application/json", 400),
        (b"[" * 20_000, "application/json", 400),
        (b'{"email":"a@b","x":' + b'{"x":' * 9_000 + b"1" + b"}" * 9_001, "application/json", 400),
        (b'{"email":"a@b"}', "text/plain", 415),
        (b'{"email":"a@b"}', "application/json; charset=utf-8", 201),
        (b'{"email":"a@b","pad":"' + b"x" * 66_000 + b'"}', "application/json", 413),
    ],
)
async def test_hostile_bodies_get_an_answer_and_do_not_end_the_process(
    shared_client, content, media_type, status
):
    answer = await shared_client.post(URL, content=content, headers={"content-type": media_type})
    assert answer.status_code == status, answer.text
    assert (await shared_client.get("/health/live")).status_code == 200


async def test_a_body_without_length_is_limited_too(shared_client):
    async def endless():
        yield b'{"email":"a@b","pad":"'
        for _ in range(200):
            yield b"x" * 1024

    answer = await shared_client.post(URL, content=endless(), headers={"content-type": "application/json"})
    assert answer.status_code == 413


async def test_a_user_is_unknown_until_it_is_there(shared_client):
    for path in ("/api/v1/user-command/12345", "/api/v1/user-query/12345"):
        answer = await shared_client.get(path)
        assert (answer.status_code, answer.json()["status"]) == (404, 404)


async def test_health_and_metrics_answer(client):
    await client.post(URL, json={"email": "a@b"})
    assert (await client.get("/health/live")).json() == {"status": "live", "appId": "instance-1"}
    assert (await client.get("/health/ready")).json() == {"status": "ready", "appId": "instance-1"}
    assert (await client.get("/health/read")).json() == {"status": "open", "appId": "instance-1"}
    assert (await client.get("/health/flow")).json()["status"] == "flowing"
    assert 'tandem_batch_items_sum{coalescer="CreateUserCommand"} 1.0' in (await client.get("/metrics")).text


async def test_old_pending_users_show_in_the_flows_health_but_not_in_readiness(system, client):
    await system.postgres.execute(
        "insert into tandem_instance (app_id, lease_until) values ('x', now() + '1 h')"
    )
    await system.postgres.execute(
        "insert into prm_user_pending "
        "select 1, 1, max(incarnation), now() - interval '5 min' from tandem_instance"
    )
    answer = await client.get("/health/flow")
    assert answer.status_code == 503
    assert "waited 300 s" in answer.json()["detail"]
    assert (await client.get("/health/ready")).status_code == 200


async def test_the_openapi_document_covers_what_is_served(shared_client):
    paths = (await shared_client.get("/api-json")).json()["paths"]
    assert {
        "/api/v1/user-command",
        "/api/v1/user-command/{id}",
        "/api/v1/user-query",
        "/api/v1/user-query/email",
        "/api/v1/user-query/{id}",
        "/api/v1/stats",
        "/api/v1/random-users",
        "/health/live",
        "/health/ready",
        "/health/read",
        "/health/flow",
        "/metrics",
    } <= set(paths)
    assert set(paths["/api/v1/user-command"]["post"]["responses"]) >= {"201", "400", "413", "415", "503"}


async def test_the_page_and_swagger_are_served(shared_client):
    for path in ("/", "/client/index.html", "/api"):
        answer = await shared_client.get(path, follow_redirects=True)
        assert answer.status_code == 200
        assert "text/html" in answer.headers["content-type"]
        assert "unsafe-inline" not in answer.headers["content-security-policy"] or path == "/api"


async def test_who_follows_a_wrong_address_in_a_browser_gets_a_page_and_a_program_a_problem(shared_client):
    browser = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
    for path in ("/user", "/view/users", "/apis", "/client/nothing.html"):
        answer = await shared_client.get(path, headers=browser)
        assert (answer.status_code, answer.headers["content-type"]) == (404, "text/html; charset=utf-8")
        assert 'href="/"' in answer.text
        assert "unsafe" not in answer.headers["content-security-policy"]
        assert (await shared_client.head(path, headers=browser)).content == b""
    asked = [
        await shared_client.get("/user"),
        await shared_client.get("/api/v1/user", headers=browser),
        await shared_client.post("/user", headers=browser),
        await shared_client.delete("/api/v1/user-command/1/none", headers=browser),
    ]
    for answer in asked:
        assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")


async def test_sigterm_finishes_what_is_in_flight(system, serve):
    served = await serve("leaving")
    posts = [
        asyncio.create_task(served.client.post(URL, json={"email": f"{number}@example.com"}))
        for number in range(50)
    ]
    await asyncio.wait(posts, return_when=asyncio.FIRST_COMPLETED)
    assert await served.terminate() == 0
    answers = await asyncio.gather(*posts, return_exceptions=True)
    created = [
        answer for answer in answers if not isinstance(answer, Exception) and answer.status_code == 201
    ]
    assert created
    stored = await system.count("select count(*) from prm_user where status = 'SYNCRONIZED'")
    assert stored >= len(created)
    assert await system.count("select count(*) from prm_user_pending") == 0
