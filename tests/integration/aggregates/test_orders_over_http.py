"""Orders over HTTP: what users are promised there holds for any aggregate."""

from datetime import datetime, timedelta

import pytest
from orders import ORDERS

from installed import installed_orders
from systems import Servings, open_system
from waiting import until

LINES = [{"article": "tea", "quantity": 2, "cents": 350}]
COMMANDS, DOCUMENTS = "/api/v1/order-command", "/api/v1/order-query"


@pytest.fixture(scope="module")
async def client(servers, tmp_path_factory):
    folder = tmp_path_factory.mktemp("http")
    async with servers.lend_databases() as lent, open_system(lent, [ORDERS]) as system:
        servings = Servings(system, folder)
        yield (await servings("one", **installed_orders(folder / "installed"))).client
        await servings.close()


@pytest.fixture(scope="module")
async def jane(client) -> int:
    answer = await client.post("/api/v1/user-command?seed=http", json={"email": "jane@example.com"})
    return answer.json()["id"]


async def place(client, user_id: int, **headers: str):
    body = {"userId": user_id, "lines": LINES}
    answer = await client.post(f"{COMMANDS}?seed=http", json=body, headers=headers)
    assert answer.status_code == 201, answer.text
    return answer


async def change(client, order_id: int, what: str, body: dict, **headers: str):
    return await client.post(f"{COMMANDS}/{order_id}/{what}", json=body, headers=headers)


async def test_a_new_order_is_answered_with_where_it_is_and_its_version(client, jane):
    answer = await place(client, jane)
    order = answer.json()
    assert answer.headers["Location"] == f"{COMMANDS}/{order['id']}"
    assert answer.headers["ETag"] == '"1"'
    assert {"seed": "http", "appId": "one", "status": "COMMITTED", "version": 1}.items() <= order.items()


async def test_who_prefers_to_wait_is_answered_once_mongodb_has_it(client, jane):
    answer = await place(client, jane, Prefer="wait=10")
    assert (answer.json()["status"], answer.headers["Preference-Applied"]) == ("SYNCRONIZED", "wait=10")
    document = (await client.get(f"{DOCUMENTS}/{answer.json()['id']}")).json()
    assert {"userId": jane, "cents": 700, "status": "placed", "lines": LINES}.items() <= document.items()


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"userId": 1}, "#/lines"),
        ({"userId": 0, "lines": LINES}, "#/userId"),
        ({"userId": 1, "lines": []}, "#/lines"),
        ({"userId": 1, "lines": [LINES[0] | {"quantity": 0}]}, "#/lines/0/quantity"),
        ({"userId": 1, "lines": [LINES[0] | {"article": "\x00"}]}, "#/lines/0/article"),
    ],
)
async def test_bad_input_is_named(client, body, pointer):
    answer = await client.post(f"{COMMANDS}?seed=http", json=body)
    assert answer.status_code == 400
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]


async def test_a_rejection_says_why_with_the_status_that_its_author_chose(client, jane):
    order_id = (await place(client, jane)).json()["id"]
    wrong = await change(client, order_id, "pay", {"cents": 1})
    assert (wrong.status_code, wrong.json()["detail"]) == (422, "The order costs 700 cents.")
    early = await change(client, order_id, "ship", {"parcel": "p"})
    assert (early.status_code, early.json()["detail"]) == (409, "The order is placed.")
    unknown = await change(client, 2**40, "pay", {"cents": 700})
    assert (unknown.status_code, unknown.json()["detail"]) == (404, "There is no such order.")
    assert (await change(client, order_id, "refuse", {"reason": "no"})).status_code == 404


async def test_a_key_is_one_command_however_often_it_is_sent(client, jane):
    first, again = [await place(client, jane, **{"Idempotency-Key": "key-1"}) for _ in range(2)]
    assert first.json()["id"] == again.json()["id"]
    assert again.headers["Idempotent-Replayed"] == "true"
    order_id = first.json()["id"]
    paid = [
        await change(client, order_id, "pay", {"cents": 700}, **{"Idempotency-Key": "key-2"}) for _ in "ab"
    ]
    assert [answer.json()["version"] for answer in paid] == [2, 2]
    other = await change(client, order_id, "cancel", {"reason": "no"}, **{"Idempotency-Key": "key-2"})
    assert (other.status_code, other.json()["errors"][0]["parameter"]) == (422, "Idempotency-Key")


async def test_a_command_may_name_the_version_that_it_is_about(client, jane):
    order_id = (await place(client, jane)).json()["id"]
    late = await change(client, order_id, "pay", {"cents": 700}, **{"If-Match": '"2"'})
    assert (late.status_code, late.json()["version"], late.headers["ETag"]) == (412, 1, '"1"')
    right = await change(client, order_id, "pay", {"cents": 700}, **{"If-Match": '"1"'})
    assert (right.status_code, right.headers["ETag"]) == (200, '"2"')


async def test_readers_get_what_they_have_written_and_nothing_twice(client, jane):
    order_id = (await place(client, jane)).json()["id"]
    await change(client, order_id, "pay", {"cents": 700})
    found = await client.get(f"{DOCUMENTS}/{order_id}?version=2")
    assert (found.json()["status"], found.json()["version"]) == ("paid", 2)
    assert found.headers["Tandem-Source"] in ("MongoDB", "PostgreSQL")
    known = await client.get(
        f"{DOCUMENTS}/{order_id}?version=2", headers={"If-None-Match": found.headers["ETag"]}
    )
    assert known.status_code == 304
    assert (await client.get(f"{DOCUMENTS}/{order_id}?version=99")).status_code == 404
    assert (await client.get(f"{DOCUMENTS}/{2**40}")).status_code == 404


async def test_lists_go_on_after_the_last_id_and_by_a_field(client):
    other = (await client.post("/api/v1/user-command?seed=http", json={"email": "bob@example.com"})).json()[
        "id"
    ]
    ids = [(await place(client, other, Prefer="wait=10")).json()["id"] for _ in range(3)]

    async def listed(query: str) -> list[int]:
        answer = await client.get(f"{DOCUMENTS}?{query}")
        assert answer.status_code == 200, answer.text
        return [order["_id"] for order in answer.json()]

    assert await listed(f"userId={other}") == ids
    assert await listed(f"userId={other}&limit=2") == ids[:2]
    assert await listed(f"userId={other}&after={ids[1]}") == ids[2:]
    assert await listed(f"seed=nothing&userId={other}") == []
    assert set(ids) <= set(await listed("seed=http&limit=100"))
    wrong = await client.get(f"{DOCUMENTS}?userId=0")
    assert (wrong.status_code, wrong.json()["errors"][0]["parameter"]) == (400, "userId")


async def test_what_has_happened_can_be_looked_back_at(client, jane):
    order = (await place(client, jane)).json()
    path = f"{COMMANDS}/{order['id']}"
    await change(client, order["id"], "pay", {"cents": 700})
    assert (await client.get(path)).json()["state"]["status"] == "paid"
    assert (await client.get(f"{path}?version=1")).json()["state"]["status"] == "placed"
    before = datetime.fromisoformat(order["createdAt"]) - timedelta(seconds=1)
    assert (await client.get(path, params={"at": before.isoformat()})).status_code == 404
    assert (await client.get(path, params={"at": order["createdAt"]})).json()["version"] == 1
    assert (await client.get(path, params={"at": order["createdAt"], "version": 1})).status_code == 400
    assert (await client.get(f"{path}?version=3")).json()["detail"].endswith("Its last one is 2.")

    async def has_happened() -> bool:
        events = (await client.get(f"{path}/events")).json()
        changes = [
            (each["version"], each["eventType"]) for each in events if each["eventType"] != "SYNCRONIZED"
        ]
        assert changes == [(1, "OrderPlaced"), (2, "OrderPaid")]
        return (2, "SYNCRONIZED") in [(each["version"], each["eventType"]) for each in events]

    await until(has_happened, "the acknowledgement of version 2")
    assert (await client.get(f"{COMMANDS}/{2**40}/events")).status_code == 404


async def test_the_documentation_has_every_route(client):
    paths = (await client.get("/api-json")).json()["paths"]
    assert {path for path in paths if path.startswith("/api/v1/order")} >= {
        COMMANDS,
        f"{COMMANDS}/{{id}}",
        f"{COMMANDS}/{{id}}/events",
        *(f"{COMMANDS}/{{id}}/{command}" for command in ("pay", "ship", "cancel")),
        DOCUMENTS,
        f"{DOCUMENTS}/{{id}}",
    }
