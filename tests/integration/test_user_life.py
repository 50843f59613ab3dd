"""The whole life of a user over HTTP: create, update, delete, erase; versions, keys and history."""

import asyncio

import pytest

from systems import Servings, open_system
from waiting import until

JANE = {
    "email": "jane@example.com",
    "name": {"title": "Ms", "first": "Jane", "last": "Doe"},
    "location": {
        "street": {"number": 5, "name": "Main"},
        "city": "Bonn",
        "country": "Germany",
        "postcode": 53111,
    },
    "login": {"uuid": "u-1", "username": "jane"},
    "dob": {"date": "1990-01-02T03:04:05.678Z", "age": 36},
    "phone": "1",
}


@pytest.fixture(scope="module")
async def system(servers):
    async with open_system(await servers.new_databases()) as opened:
        yield opened


@pytest.fixture(scope="module")
async def clients(system, tmp_path_factory):
    """Clients of two instances on the same databases."""
    servings = Servings(system, tmp_path_factory.mktemp("life"))
    yield [(await servings(name)).client for name in ("instance-1", "instance-2")]
    await servings.close()


@pytest.fixture
def client(clients):
    return clients[0]


@pytest.fixture
async def jane(client):
    """The id of a new user."""
    return await create(client)


async def create(client, **fields) -> int:
    answer = await client.post("/api/v1/user-command?seed=life", json=JANE | fields)
    assert answer.status_code == 201, answer.text
    return answer.json()["id"]


def url(user_id: int) -> str:
    return f"/api/v1/user-command/{user_id}"


async def patch(client, user_id: int, change: dict, **headers: str):
    return await client.patch(
        url(user_id), json=change, headers={"Content-Type": "application/merge-patch+json"} | headers
    )


async def seen(client, user_id: int, version: int, source: str = "MongoDB"):
    answer = await client.get(
        f"/api/v1/user-query/{user_id}?version={version}", headers={"Prefer": "wait=10"}
    )
    assert answer.headers["tandem-source"] == source
    return answer


async def test_an_update_changes_what_it_names_in_both_databases(client, jane):
    answer = await patch(
        client, jane, {"phone": "2", "location": {"city": "Köln", "postcode": None}, "cell": "3"}
    )
    assert answer.status_code == 200
    updated = answer.json()
    assert (updated["id"], updated["email"], updated["seed"]) == (jane, JANE["email"], "life")
    assert (updated["status"], updated["version"], updated["appId"]) == ("UPDATED", 2, "instance-1")
    assert updated["updatedAt"] > updated["createdAt"]
    assert answer.headers["etag"] == '"2"'
    document = (await seen(client, jane, 2)).json()
    assert document["phone"] == "2"
    assert document["cell"] == "3"
    assert document["location"] == {
        "street": {"number": 5, "name": "Main"},
        "city": "Köln",
        "country": "Germany",
    }
    assert document["name"] == JANE["name"]
    assert document["version"] == 2
    rows = (await client.get(url(jane))).json()
    assert (rows["phone"], rows["location"]["city"], rows["location"]["postcode"]) == ("2", "Köln", None)


async def test_a_patch_that_changes_nothing_makes_no_event(client, jane):
    answer = await patch(client, jane, {"phone": "1", "login": {"password": "secret"}, "unknown": {"a": 1}})
    assert (answer.status_code, answer.json()["version"], answer.json()["status"]) == (200, 1, "UPDATED")
    events = (await client.get(f"{url(jane)}/events")).json()
    assert "UPDATED" not in [event["eventType"] for event in events]


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"email": None}, "#/email"),
        ({"email": "no"}, "#/email"),
        ({"dob": {"date": "tomorrow"}}, "#/dob/date"),
        ({"location": {"postcode": [1]}}, "#/location/postcode"),
        ([1], "#"),
        (None, "#"),
    ],
)
async def test_a_patch_that_would_make_no_user_names_the_field(client, jane, change, pointer):
    answer = await patch(client, jane, change)
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["pointer"] == pointer


async def test_a_media_type_that_is_no_patch_is_refused(client, jane):
    answer = await client.patch(url(jane), content=b"{}", headers={"Content-Type": "text/plain"})
    assert answer.status_code == 415
    assert "application/merge-patch+json" in answer.json()["detail"]


async def test_a_deleted_user_is_gone_everywhere_but_in_its_history(client, jane):
    answer = await client.delete(url(jane), headers={"Prefer": "wait=10"})
    assert (answer.status_code, answer.content) == (204, b"")
    assert answer.headers["tandem-status"] == "SYNCRONIZED"
    assert (await client.get(f"/api/v1/user-query/{jane}")).status_code == 404
    gone = await client.get(url(jane))
    assert gone.status_code == 410
    types = [event["eventType"] for event in gone.json()["events"]]
    assert sorted(types) == ["CREATED", "DELETED", "SYNCRONIZED", "SYNCRONIZED"] or types == [
        "CREATED",
        "DELETED",
        "SYNCRONIZED",
    ]
    for answer in (await patch(client, jane, {"phone": "9"}), await client.delete(url(jane))):
        assert answer.status_code == 410


@pytest.mark.parametrize("path", ["", "?seed=tombs", "?seed=tombs&complete=true", "?limit=1000"])
async def test_no_list_shows_a_deleted_user(client, path):
    kept, lost = [
        (await client.post("/api/v1/user-command?seed=tombs", json=JANE)).json()["id"] for _ in range(2)
    ]
    await client.delete(url(lost), headers={"Prefer": "wait=10"})
    await seen(client, kept, 1)
    ids = [user["_id"] for user in (await client.get(f"/api/v1/user-query{path}")).json()]
    assert lost not in ids
    found = (await client.get("/api/v1/user-query/search?seed=tombs&limit=200")).json()["users"]
    assert lost not in [user["_id"] for user in found]
    assert kept in [user["_id"] for user in found]


async def test_an_address_that_was_changed_leads_to_nobody(client):
    user_id = await create(client, email="before@example.com")
    await patch(client, user_id, {"email": "after@example.com"}, Prefer="wait=10")
    found = await client.get("/api/v1/user-query/email?email=after@example.com")
    assert (found.json()["_id"], found.headers["etag"]) == (user_id, f'"{user_id}-2"')
    assert (await client.get("/api/v1/user-query/email?email=before@example.com")).status_code == 404


async def test_an_unknown_user_is_404(client):
    assert (await patch(client, 2**40, {"phone": "1"})).status_code == 404
    assert (await client.delete(url(2**40))).status_code == 404
    assert (await client.get(f"{url(2**40)}/events")).status_code == 404


@pytest.mark.parametrize("header", ['"2"', '"1"', '"7", "2"', "*"])
async def test_a_version_that_is_expected_and_there_lets_a_command_pass(client, jane, header):
    expected = {"200"} if header != '"1"' else {"412"}
    await patch(client, jane, {"phone": "2"})
    answer = await patch(client, jane, {"phone": "3"}, **{"If-Match": header})
    assert str(answer.status_code) in expected


async def test_another_version_is_answered_with_the_one_that_is_there(client, jane):
    await patch(client, jane, {"phone": "2"})
    for answer in (
        await patch(client, jane, {"phone": "3"}, **{"If-Match": '"1"'}),
        await patch(client, jane, {"phone": "3"}, **{"If-Match": 'W/"2"'}),
        await client.delete(url(jane), headers={"If-Match": '"1"'}),
    ):
        assert answer.status_code == 412
        assert answer.headers["etag"] == '"2"'
        assert answer.json()["version"] == 2
    malformed = await patch(client, jane, {"phone": "3"}, **{"If-Match": "2"})
    assert (malformed.status_code, malformed.json()["errors"][0]["parameter"]) == (400, "If-Match")


async def test_a_version_that_a_reader_knows_is_304(client, jane):
    await seen(client, jane, 1)
    for path in (url(jane), f"/api/v1/user-query/{jane}", f"/api/v1/user-query/{jane}?version=1"):
        answer = await client.get(path, headers={"If-None-Match": 'W/"1"'})
        assert (answer.status_code, answer.content, answer.headers["etag"]) == (304, b"", '"1"')
        assert "content-type" not in answer.headers
        assert (await client.get(path, headers={"If-None-Match": '"2"'})).status_code == 200


async def test_of_two_commands_that_expect_the_same_version_one_passes(clients, jane):
    answers = await asyncio.gather(
        *(patch(one, jane, {"phone": str(n)}, **{"If-Match": '"1"'}) for n in range(5) for one in clients)
    )
    assert sorted(answer.status_code for answer in answers) == [200] + 9 * [412]


async def test_commands_without_an_expected_version_all_pass(clients, jane):
    answers = await asyncio.gather(
        *(patch(one, jane, {"phone": f"{n} {i}"}) for n in range(20) for i, one in enumerate(clients))
    )
    assert {answer.status_code for answer in answers} == {200}
    assert sorted(answer.json()["version"] for answer in answers) == list(range(2, 42))
    last = max(answers, key=lambda answer: answer.json()["version"])
    document = (await seen(clients[1], jane, 41)).json()
    events = (await clients[0].get(f"{url(jane)}/events")).json()
    (change,) = [event for event in events if event["version"] == 41 and event["eventType"] == "UPDATED"]
    assert change["eventData"] == {"phone": document["phone"]}
    assert last.json()["version"] == 41


async def test_a_repeated_command_is_answered_as_the_first_was(clients, jane):
    key = {"Idempotency-Key": f"patch {jane}"}
    first = await patch(clients[0], jane, {"phone": "2"}, **key)
    await patch(clients[0], jane, {"phone": "3", "email": "new@example.com"})
    for client in clients:
        repeated = await patch(client, jane, {"phone": "2"}, **key)
        assert repeated.headers["idempotent-replayed"] == "true"
        assert repeated.json() == first.json()
        assert repeated.headers["etag"] == '"2"'
    other = await patch(clients[0], jane, {"phone": "4"}, **key)
    assert other.status_code == 422
    assert (await clients[0].get(url(jane))).json()["phone"] == "3"


async def test_a_repeated_patch_that_changed_nothing_changes_nothing_later(client, jane):
    key = {"Idempotency-Key": f"nothing {jane}"}
    assert (await patch(client, jane, {"phone": "1"}, **key)).json()["version"] == 1
    await patch(client, jane, {"phone": "2"})
    repeated = await patch(client, jane, {"phone": "1"}, **key)
    assert (repeated.json()["version"], repeated.headers["idempotent-replayed"]) == (1, "true")
    assert (await client.get(url(jane))).json()["phone"] == "2"


async def test_a_key_is_used_once_by_all_commands_in_flight(clients, jane):
    key = {"Idempotency-Key": f"many {jane}"}
    answers = await asyncio.gather(
        *(patch(one, jane, {"phone": "5"}, **key) for _ in range(10) for one in clients)
    )
    assert {(answer.status_code, answer.json()["version"]) for answer in answers} == {(200, 2)}


@pytest.mark.parametrize("query", ["", "?erase=true"])
async def test_a_repeated_deletion_is_answered_as_the_first_was(clients, jane, query):
    key = {"Idempotency-Key": f"delete {jane}{query}"}
    answers = [await client.delete(url(jane) + query, headers=key) for client in clients]
    assert [answer.status_code for answer in answers] == [204, 204]
    assert (await clients[0].delete(url(jane) + query)).status_code == 410
    other = await clients[0].delete(url(jane), headers={"Idempotency-Key": f"other {jane}"})
    assert other.status_code == 410


async def test_a_key_of_a_creation_serves_no_update_and_lives_on(client):
    key = {"Idempotency-Key": "create and patch"}
    first = await client.post("/api/v1/user-command?seed=life", json=JANE, headers=key)
    user_id = first.json()["id"]
    assert (await patch(client, user_id, {"phone": "2"}, **key)).status_code == 422
    await patch(client, user_id, {"email": "other@example.com"})
    again = await client.post("/api/v1/user-command?seed=life", json=JANE, headers=key)
    assert again.json() == first.json()


async def test_an_erased_user_is_not_created_again_by_a_late_repeat(client):
    key = {"Idempotency-Key": "create and erase"}
    first = await client.post("/api/v1/user-command?seed=life", json=JANE, headers=key)
    await client.delete(f"{url(first.json()['id'])}?erase=true")
    again = await client.post("/api/v1/user-command?seed=life", json=JANE, headers=key)
    assert again.status_code == 410


async def test_the_state_at_a_version_and_at_a_moment(client, jane):
    await patch(client, jane, {"phone": "2", "name": {"first": "Joan"}})
    third = (await patch(client, jane, {"phone": None})).json()
    one = (await client.get(f"{url(jane)}?version=1")).json()
    assert (one["phone"], one["name"]["first"], one["version"]) == ("1", "Jane", 1)
    two = await client.get(f"{url(jane)}?version=2")
    assert (two.json()["phone"], two.json()["name"]["first"], two.headers["etag"]) == ("2", "Joan", '"2"')
    now = (await client.get(f"{url(jane)}", params={"at": third["updatedAt"]})).json()
    assert (now.get("phone"), now["version"]) == (None, 3)
    then = (await client.get(f"{url(jane)}", params={"at": one["createdAt"]})).json()
    assert then == one
    assert (await client.get(f"{url(jane)}?version=4")).status_code == 404
    assert (await client.get(f"{url(jane)}?at=1999-01-01T00:00:00Z")).status_code == 404
    assert (await client.get(f"{url(jane)}?at=1999-01-01T00:00:00")).status_code == 400
    assert (await client.get(f"{url(jane)}?version=1&at=2026-01-01T00:00:00Z")).status_code == 400
    await client.delete(url(jane))
    assert (await client.get(f"{url(jane)}?version=2")).json()["phone"] == "2"
    assert (await client.get(f"{url(jane)}?version=4")).status_code == 410


async def test_the_history_names_what_was_acknowledged(client, jane):
    await patch(client, jane, {"phone": "2"}, Prefer="wait=10")
    events = (await client.get(f"{url(jane)}/events")).json()
    assert [event["version"] for event in events] == sorted(event["version"] for event in events)
    assert ("SYNCRONIZED", 2) in [(event["eventType"], event["version"]) for event in events]
    assert set(events[0]) == {"version", "eventType", "eventData", "seed", "appId", "createdAt"}
    assert events[0]["eventData"]["name"] == JANE["name"]


async def test_a_command_that_waits_is_answered_when_mongodb_has_it(client):
    created = await client.post("/api/v1/user-command?seed=life", json=JANE, headers={"Prefer": "wait=10"})
    assert created.json()["status"] == "SYNCRONIZED"
    assert created.headers["preference-applied"] == "wait=10"
    user_id = created.json()["id"]
    assert (await client.get(f"/api/v1/user-query/{user_id}")).json()["version"] == 1
    updated = await patch(client, user_id, {"phone": "2"}, Prefer="respond-async, wait=100")
    assert (updated.json()["status"], updated.headers["preference-applied"]) == ("SYNCRONIZED", "wait=10")
    assert (await client.get(f"/api/v1/user-query/{user_id}")).json()["version"] == 2


async def test_the_statistics_know_updates_and_deletions(client, system):
    seed = "counted"
    ids = [(await client.post(f"/api/v1/user-command?seed={seed}", json=JANE)).json()["id"] for _ in range(4)]
    await patch(client, ids[0], {"phone": "2"})
    await patch(client, ids[0], {"phone": "3"})
    await patch(client, ids[1], {"phone": "2"})
    await client.delete(url(ids[2]))
    await client.delete(url(ids[3]) + "?erase=true")

    async def is_settled() -> bool:
        (row,) = (await client.get(f"/api/v1/stats?seed={seed}")).json()
        return (row["total"], row["updated"], row["deleted"], row["synchronized"], row["pending"]) == (
            4,
            3,
            2,
            4,
            0,
        )

    await until(is_settled, "all counted")
