"""The collection is dropped behind our back: said as what it is, and healed by `tandem migrate`."""

import sys

import pytest

from command_line import run_tandem
from places import SUPPORT
from waiting import until

WATCHFUL = (sys.executable, str(SUPPORT / "watchful_serve.py"))
READS_BY_INDEX = [
    "/api/v1/user-query/search?seed=run",
    "/api/v1/user-query/search?email=a@example.com",
    "/api/v1/user-query/email?email=a@example.com",
    "/api/v1/user-query?seed=run",
    "/api/v1/user-query?seed=run&limit=500",
]
READS_BY_ID = ["/api/v1/user-query", "/api/v1/user-query?limit=500", "/api/v1/user-query/search?name=a"]


async def post(client) -> int:
    answer = await client.post("/api/v1/user-command?seed=run", json={"email": "a@example.com"})
    assert answer.status_code == 201
    return answer.json()["id"]


async def until_flow_says(client, what: str) -> None:
    async def says_it() -> bool:
        flow = await client.get("/health/flow")
        return flow.status_code == 503 and what in flow.json()["detail"]

    await until(says_it, f"/health/flow says {what!r}")


async def until_flowing(client) -> None:
    async def flows() -> bool:
        return (await client.get("/health/flow")).status_code == 200

    await until(flows, "flowing")


async def migrate(system) -> None:
    urls = system.urls
    owner = {"POSTGRES_URL": urls.postgres_owner_url, "MONGODB_URL": urls.mongodb_owner_url}
    code, output = await run_tandem("migrate", **owner)
    assert code == 0, output


async def test_a_dropped_collection_is_reported_and_made_again(system, serve):
    served = await serve(wrapper=WATCHFUL)
    client = served.client
    await post(client)
    await system.until_synchronized(1)
    await until_flowing(client)
    await system.users.drop()
    await until_flow_says(client, "no collection `users`")
    for path in READS_BY_INDEX[:2] + READS_BY_INDEX[3:]:
        assert (await client.get(path)).status_code == 200, path

    # The next write makes a new collection, without indexes.
    user_id = await post(client)
    await system.until_synchronized(2)
    await until_flow_says(client, "{email: 1, _id: -1}")
    await until_flow_says(client, "tandem migrate")
    for path in READS_BY_INDEX:
        answer = await client.get(path)
        assert answer.status_code == 503, path
        assert "tandem migrate" in answer.json()["detail"]
        assert int(answer.headers["Retry-After"]) > 0
    for path in (*READS_BY_ID, f"/api/v1/user-query/{user_id}"):
        assert (await client.get(path)).status_code == 200, path
    assert "lacks the index" in served.log.read_text()

    await migrate(system)
    await until_flowing(client)
    for path in READS_BY_INDEX:
        assert (await client.get(path)).status_code == 200, path


@pytest.mark.parametrize(
    ("name", "said"), [("email_1__id_-1", "{email: 1, _id: -1}"), ("seed_1__id_1", "{seed: 1, _id: 1}")]
)
async def test_one_missing_index_is_named(system, serve, name, said):
    client = (await serve(wrapper=WATCHFUL)).client
    await post(client)
    await system.until_synchronized(1)
    await system.users.drop_index(name)
    await until_flow_says(client, f"lacks the index {said}, which")
    await migrate(system)
    await until_flowing(client)
