"""Reads that ask for some fields of a user, and reads whose client has the answer already."""

import asyncio

import pytest

from systems import Servings, open_system
from waiting import until

JANE = {
    "email": "jane@example.com",
    "name": {"title": "Ms", "first": "Jane", "last": "Doe"},
    "location": {"street": {"number": 5, "name": "Main"}, "city": "Bonn", "postcode": 53111},
    "phone": "1",
}
QUERY = "/api/v1/user-query"
FIELDS = "fields=name.first,location.city"
SOME = {"name": {"first": "Jane"}, "location": {"city": "Bonn"}}


@pytest.fixture(scope="module")
async def system(servers):
    async with open_system(await servers.new_databases()) as opened:
        yield opened


@pytest.fixture(scope="module")
async def client(system, tmp_path_factory):
    servings = Servings(system, tmp_path_factory.mktemp("fields"))
    yield (await servings("instance-1")).client
    await servings.close()


async def create(client, seed: str, **fields) -> int:
    path = f"/api/v1/user-command?seed={seed}"
    answer = await client.post(path, json=JANE | fields, headers={"Prefer": "wait=10"})
    assert answer.json()["status"] == "SYNCRONIZED", answer.text
    return answer.json()["id"]


async def test_every_read_shows_the_fields_that_are_asked_for(client):
    jane = await create(client, "each", email="each@example.com")
    expected = {"_id": jane, "version": 1} | SOME
    for path in (f"{jane}?", f"{jane}?version=1&", "email?email=each@example.com&"):
        answer = await client.get(f"{QUERY}/{path}{FIELDS}")
        assert (answer.status_code, answer.json()) == (200, expected), path
    for limit in (1, 1000):
        assert (await client.get(f"{QUERY}?seed=each&limit={limit}&{FIELDS}")).json() == [expected]
    found = (await client.get(f"{QUERY}/search?seed=each&country=&name=doe&{FIELDS}")).json()
    assert found["users"] == [expected]


async def test_readers_of_different_fields_are_answered_together(client):
    ids = [await create(client, "mixed", email=f"{number}@mixed.example.com") for number in range(3)]
    wanted = {"": None, "?fields=email": {"email"}, "?fields=name.last": {"name"}, "?fields=phone": {"phone"}}
    paths = [f"{QUERY}/{user_id}{query}" for user_id in ids for query in wanted]
    paths += [
        f"{QUERY}/email{query or '?'}&email={number}@mixed.example.com"
        for number in range(3)
        for query in wanted
    ]
    answers = await asyncio.gather(*(client.get(path) for path in paths * 4))
    for path, answer in zip(paths * 4, answers, strict=True):
        found = answer.json()
        names = next(names for query, names in reversed(wanted.items()) if query in path)
        assert found["_id"] in ids
        assert names is None or set(found) == {"_id", "version"} | names
        assert names is not None or found.keys() > {"email", "name", "phone", "currentStatus"}


async def test_postgresql_answers_with_the_same_bytes(client, system):
    jane = await create(client, "source")
    path = f"{QUERY}/{jane}?version=1&{FIELDS}"
    from_mongodb = await client.get(path)
    await system.users.delete_one({"_id": jane})
    from_postgresql = await client.get(path)
    sources = [answer.headers["tandem-source"] for answer in (from_mongodb, from_postgresql)]
    assert (sources, from_mongodb.content) == (["MongoDB", "PostgreSQL"], from_postgresql.content)


@pytest.mark.parametrize("path", ["", "/1", "/1?version=1", "/email?email=a@b", "/search"])
async def test_an_unknown_field_is_named(client, path):
    answer = await client.get(f"{QUERY}{path}{'&' if '?' in path else '?'}fields=email,name.nick")
    (place,) = answer.json()["errors"]
    assert (answer.status_code, place["parameter"]) == (400, "fields")
    assert "'name.nick'" in place["detail"]


async def test_nothing_of_a_user_is_confirmed_once_it_is_deleted(client):
    jane = await create(client, "gone", email="gone@example.com")
    paths = [f"{QUERY}/{jane}{query}" for query in ("", "?version=1", "?fields=email")]
    paths += [f"{QUERY}/email?email=gone@example.com"]
    before = [await client.get(path) for path in paths]
    erase = f"/api/v1/user-command/{jane}?erase=true"
    assert (await client.delete(erase, headers={"Prefer": "wait=10"})).status_code == 204
    for path, known in zip(paths, before, strict=True):
        for tag in (known.headers["etag"], '"2"', "*"):
            assert (await client.get(path, headers={"If-None-Match": tag})).status_code == 404, path
    list_ = await client.get(f"{QUERY}?seed=gone")
    assert list_.json() == []


async def test_what_has_no_version_has_no_tag(client, system):
    await system.users.insert_one({"_id": 2**50, "email": "foreign@example.com"})
    for path in (f"{2**50}", "email?email=foreign@example.com"):
        answer = await client.get(f"{QUERY}/{path}", headers={"If-None-Match": "*"})
        assert (answer.status_code, "etag" in answer.headers) == (200, False)
    await system.users.delete_one({"_id": 2**50})


async def test_the_tag_of_an_address_is_that_of_one_user(client):
    path = f"{QUERY}/email?email=two@example.com"
    tags = []
    for _ in range(2):
        user_id = await create(client, "two", email="two@example.com")
        answer = await client.get(path, headers={"If-None-Match": ", ".join(tags)} if tags else {})
        assert (answer.status_code, answer.json()["_id"]) == (200, user_id)
        tags.append(answer.headers["etag"])
    assert tags[1] == f'"{user_id}-1"'
    again = await client.get(path, headers={"If-None-Match": tags[1]})
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tags[1])


@pytest.mark.parametrize("query", ["seed=list", "seed=list&complete=true", f"seed=list&{FIELDS}"])
async def test_a_list_is_confirmed_until_anything_in_it_changes(client, query):
    jane = await create(client, "list")
    path = f"{QUERY}?{query}&limit=25"

    async def known(tag: str):
        return await client.get(path, headers={"If-None-Match": tag})

    whole = await client.get(path)
    tag = whole.headers["etag"]
    same = await known(tag)
    assert (same.status_code, same.content, same.headers["etag"]) == (304, b"", tag)
    assert ("complete-through" in same.headers) == ("complete" in query)
    url = f"/api/v1/user-command/{jane}"
    for method, changed, body in (
        ("PATCH", url, {"location": {"city": "Köln"}}),
        ("POST", "/api/v1/user-command?seed=list", JANE),
        ("DELETE", url, None),
    ):
        await client.request(method, changed, json=body, headers={"Prefer": "wait=10"})

        # A list with `complete` shows a new user when everybody below has arrived.
        async def is_shown(known_tag=tag) -> bool:
            return (await known(known_tag)).status_code == 200

        await until(is_shown, f"the list after {method}")
        tag = (await client.get(path)).headers["etag"]
    assert "etag" not in (await client.get(f"{QUERY}?{query}&limit=26")).headers
