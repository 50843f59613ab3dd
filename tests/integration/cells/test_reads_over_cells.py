"""All cells read as one: every route answers the same from an instance of any cell."""

import asyncio
import re
from typing import Any

import pytest
from orders import ORDERS

from cells import create_users, open_cells
from tandem.ids import FIRST_ID_OF_CELLS, cell_of
from watching import watch

CELLS = (0, 3, 7)
USERS = 30

# What is about the instance that answers, or made anew for each request.
ABOUT_THE_INSTANCE = {"/health/live", "/health/ready", "/health/read", "/health/flow", "/metrics"}
# What has to be asked for, or else there is no answer, or another one each time.
NEEDED = {
    "/api/v1/user-query/email": {"email": "shared@example.com"},
    "/api/v1/events": {"cell": 3},
    "/api/v1/random-users": {"seed": "run"},
}
# Figures that go on while one asks after the other.
OF_NOW = re.compile(r'"(?:ageSeconds|seconds|silentSeconds|oldestPending\w*Seconds)":[0-9.e-]+')


@pytest.fixture(scope="module")
async def cells(servers, tmp_path_factory):
    """Three cells with users, an address that all of them have, and an order in each."""
    async with open_cells(servers, tmp_path_factory.mktemp("cells"), CELLS, [ORDERS]) as opened:
        for number in CELLS:
            await opened.start(number, SCRUB_CPU_PERCENT="0")
        for number in CELLS:
            cell = opened[number]
            ids = await create_users(cell, USERS)
            assert {cell_of(id_) for id_ in ids} == {number}
            await create_users(cell, 2, f"run-{number}")
            user = {"email": "shared@example.com"}
            answer = await cell.client.post("/api/v1/user-command?seed=shared", json=user)
            order = {"userId": ids[0], "lines": [{"article": "tea", "quantity": 2, "cents": 350}]}
            answer = await cell.client.post(
                "/api/v1/order-command?seed=run", json=order, headers={"Prefer": "wait=10"}
            )
            assert answer.status_code == 201, answer.text
            await cell.system.until_synchronized(USERS + 3)
        judged = await opened[0].client.post("/api/v1/runs/run/verdict", json={})
        assert f"{3 * USERS} users" in judged.json()["sentence"], judged.text
        assert "both stores equal" in judged.json()["sentence"], judged.text
        yield opened


async def ids_in(cells, number: int, table: str = "prm_user") -> list[int]:
    rows = await cells[number].system.postgres.fetch(f"select id from {table} order by id")
    return [row["id"] for row in rows]


async def all_ids(cells) -> list[int]:
    return sorted([id_ for number in CELLS for id_ in await ids_in(cells, number)])


async def from_each(cells, path: str, **parameters: Any):
    """The answers of all instances, which are the same but for figures of now."""
    answers = [await client.get(path, params=parameters) for client in cells.clients]
    seen = {
        (answer.status_code, OF_NOW.sub("", answer.text), answer.headers.get("ETag")) for answer in answers
    }
    assert len(seen) == 1, (path, parameters, [answer.text[:2000] for answer in answers])
    assert "Silent-Cells" not in answers[0].headers
    return answers[0]


async def test_every_route_that_reads_answers_the_same_from_any_instance(cells):
    """Whatever is documented: a route that is added is asked here, too."""
    document = (await cells.clients[0].get("/api-json")).json()
    paths = {path for path, methods in document["paths"].items() if "get" in methods} - ABOUT_THE_INSTANCE
    asked = 0
    for path in sorted(paths):
        operation = document["paths"][path]["get"]
        if "text/event-stream" in str(operation["responses"]["200"]):
            continue  # the live view has a test of its own
        asking = NEEDED.get(path, {})
        for number in CELLS:
            table = "prm_order" if "order" in path else "prm_user"
            id_ = (await ids_in(cells, number, table))[0]
            answer = await from_each(cells, path.replace("{id}", str(id_)).replace("{seed}", "run"), **asking)
            expected = 404 if "dead-letters/{id}" in path else 200
            assert answer.status_code == expected, (path, answer.text)
            asked += 1
            if "{id}" not in path:
                break
    assert asked > 20


async def test_lists_have_the_users_of_all_cells_in_order_of_their_ids(cells):
    expected = await all_ids(cells)
    short = await from_each(cells, "/api/v1/user-query", limit=25)
    assert [user["_id"] for user in short.json()] == expected[:25]
    long = await from_each(cells, "/api/v1/user-query", limit=1000)
    assert [user["_id"] for user in long.json()] == expected
    rest = await from_each(cells, "/api/v1/user-query", limit=1000, after=expected[40])
    assert [user["_id"] for user in rest.json()] == expected[41:]
    of_run = await from_each(cells, "/api/v1/user-query", limit=10, seed="run-7")
    assert {cell_of(user["_id"]) for user in of_run.json()} == {7}


async def test_a_complete_list_ends_where_the_first_cell_may_still_get_users(cells):
    lowest = min([(await ids_in(cells, number))[-1] for number in CELLS])
    answer = await from_each(cells, "/api/v1/user-query", limit=1000, complete="true")
    through = int(answer.headers["Complete-Through"])
    assert lowest <= through
    assert [user["_id"] for user in answer.json()] == [id_ for id_ in await all_ids(cells) if id_ <= through]


@pytest.mark.parametrize("number", CELLS)
async def test_a_list_may_be_of_one_cell_and_is_complete_as_far_as_that_one_is(cells, number):
    expected = await ids_in(cells, number)
    for limit in (10, 1000):
        answer = await from_each(cells, "/api/v1/user-query", limit=limit, cell=number, complete="true")
        assert [user["_id"] for user in answer.json()] == expected[:limit]
        assert int(answer.headers["Complete-Through"]) >= expected[-1]
    wrong = await from_each(cells, "/api/v1/user-query", cell=5)
    assert (wrong.status_code, wrong.json()["errors"][0]["parameter"]) == (400, "cell")


async def test_of_one_address_the_user_who_was_created_last_is_answered(cells):
    rows = {}
    for number in CELLS:
        rows |= dict(
            await cells[number].system.postgres.fetch(
                "select id, created_at from prm_user where email = 'shared@example.com'"
            )
        )
    assert len(rows) == 3
    answer = await from_each(cells, "/api/v1/user-query/email", email="shared@example.com")
    assert answer.json()["_id"] == max(rows, key=lambda id_: rows[id_])
    # Ids of several cells do not tell: let the one with the lowest be the newest.
    lowest = min(rows)
    sql = "update prm_user set created_at = now() + interval '1 hour' where id = $1"
    await cells[cell_of(lowest)].system.postgres.execute(sql, lowest)
    answer = await from_each(cells, "/api/v1/user-query/email", email="shared@example.com")
    assert answer.json()["_id"] == lowest
    unknown = await from_each(cells, "/api/v1/user-query/email", email="nobody@example.com")
    assert unknown.status_code == 404


@pytest.mark.parametrize(
    "conditions", [{"name": "ann"}, {"seed": "run"}, {"email": "cell-3"}, {"country": "x"}]
)
async def test_a_search_that_goes_on_finds_everybody_once(cells, conditions):
    whole = (await from_each(cells, "/api/v1/user-query", limit=1000)).json()
    expected = [user["_id"] for user in whole if matches(user, conditions)]
    found: list[int] = []
    after = 0
    while after is not None:
        page = (
            await from_each(cells, "/api/v1/user-query/search", limit=7, after=after, **conditions)
        ).json()
        found += [user["_id"] for user in page["users"]]
        after = page["next"]
    assert found == expected


def matches(user, conditions) -> bool:
    return (
        conditions.get("name", "") in user.get("name", {}).get("first", "").lower()
        and conditions.get("seed", user["seed"]) == user["seed"]
        and conditions.get("email", "") in user["email"]
        and "country" not in conditions
    )


async def test_an_exact_address_is_searched_exactly_in_all_cells(cells):
    answer = await from_each(cells, "/api/v1/user-query/search", email="shared@example.com")
    assert [cell_of(user["_id"]) for user in answer.json()["users"]] == [0, 3, 7]


async def test_a_user_is_read_at_a_version_from_its_own_cell(cells):
    id_ = (await ids_in(cells, 3))[1]
    path = f"/api/v1/user-command/{id_}"
    changed = await cells[3].client.patch(path, json={"phone": "555-0100"})
    assert changed.status_code == 200
    answer = await from_each(cells, f"/api/v1/user-query/{id_}", version=2)
    assert answer.json()["phone"] == "555-0100"
    events = await from_each(cells, f"{path}/events")
    assert [event["eventType"] for event in events.json()][:1] == ["CREATED"]
    assert (await from_each(cells, path, version=1)).json()["version"] == 1


@pytest.mark.parametrize(
    "path", ["user-query/{}", "user-command/{}", "user-command/{}/events", "order-query/{}"]
)
async def test_an_id_of_no_cell_is_unknown(cells, path):
    assert (await from_each(cells, f"/api/v1/{path.format(FIRST_ID_OF_CELLS + 9)}")).status_code == 404


async def test_statistics_and_runs_are_added_up(cells):
    rows = (await from_each(cells, "/api/v1/stats", seed="run")).json()
    assert [(row["appId"], row["total"]) for row in rows] == [
        (f"instance-{number}", USERS) for number in CELLS
    ]
    runs: list[Any] = []
    cursor = ""
    while cursor is not None:
        page = (await from_each(cells, "/api/v1/runs", limit=2, before=cursor)).json()
        runs += page["runs"]
        cursor = page["next"]
    totals = {run["seed"]: run["total"] for run in runs}
    assert totals == {"run": 3 * USERS, "shared": 3, "run-0": 2, "run-3": 2, "run-7": 2}
    assert len(runs) == 5
    described = (await from_each(cells, "/api/v1/stats/described", seed="run")).json()
    assert [row[2] for row in described["rows"]] == [USERS] * 3


async def test_the_live_view_of_any_instance_has_the_instances_of_all_cells(cells):
    for client in cells.clients:
        async with watch(client, "run") as watching:
            event = await watching.next()
        assert event["stages"] == dict.fromkeys(
            ("accepted", "stored", "projected", "synchronized"), 3 * USERS
        )
        assert "silentCells" not in event
        named = [(each["cell"], each["appId"], each["state"]) for each in event["instances"]]
        assert named == [(number, f"instance-{number}", "ready") for number in CELLS]


async def test_the_feed_is_that_of_the_cell_that_is_named(cells):
    for number in CELLS:
        answer = await from_each(cells, "/api/v1/events", cell=number, limit=1000, kind="user")
        lines = answer.text.splitlines()
        assert len(lines) > USERS
        assert {re.search(r'"id":(\d+)', line)[1][-4:] for line in lines} == {f"{number:04}"}
        rest = await from_each(cells, "/api/v1/events", cell=number, after=answer.headers["Next-Cursor"])
        assert rest.text.count("\n") <= 6
    for wrong in ({}, {"cell": 5}):
        answer = await from_each(cells, "/api/v1/events", **wrong)
        assert (answer.status_code, answer.json()["errors"][0]["parameter"]) == (400, "cell")
        assert "one of 0, 3, 7" in answer.json()["detail"]


async def test_dead_letters_of_all_cells_are_listed_and_sent_again_where_they_are(cells):
    letters = []
    for number in CELLS:
        id_ = (await ids_in(cells, number))[2]
        letters.append(id_)
        await cells[number].system.postgres.execute(
            "insert into prm_user_dead_letter (user_id, version, error, app_id, created_at)"
            " values ($1, 1, 'refused', 'instance-1', now())",
            id_,
        )
    answer = await from_each(cells, "/api/v1/dead-letters")
    assert [letter["userId"] for letter in answer.json()] == sorted(letters)
    assert len((await from_each(cells, "/api/v1/dead-letters", limit=2)).json()) == 2
    one = f"/api/v1/dead-letters/{letters[1]}"
    assert (await from_each(cells, one)).json()["error"] == "refused"
    for what in ("retry", "replace"):
        elsewhere = await cells[0].client.post(f"{one}/{what}")
        assert (elsewhere.status_code, elsewhere.json()["cell"]) == (421, 3)
    answers = await asyncio.gather(
        *(cells[cell_of(id_)].client.post(f"/api/v1/dead-letters/{id_}/retry") for id_ in letters)
    )
    assert [answer.status_code for answer in answers] == [200, 200, 200]


async def test_orders_of_all_cells_are_one_list(cells):
    expected = sorted([id_ for number in CELLS for id_ in await ids_in(cells, number, "prm_order")])
    answer = await from_each(cells, "/api/v1/order-query")
    assert [order["_id"] for order in answer.json()] == expected
    answer = await from_each(cells, "/api/v1/order-query", limit=2, after=expected[0])
    assert [order["_id"] for order in answer.json()] == expected[1:]
    versioned = await from_each(cells, f"/api/v1/order-query/{expected[2]}", version=1)
    assert versioned.json()["_id"] == expected[2]
