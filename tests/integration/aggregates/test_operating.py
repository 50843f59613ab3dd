"""What operators and people see of users is there for every installed aggregate."""

import msgspec
import pytest
from orders import ORDERS
from orders.order import Line, PlaceOrder

from installed_orders import installed_orders
from systems import Servings, commands, create, open_system
from tandem.aggregates.messages import Sent
from tandem.app import run_instance
from waiting import until
from watching import instance_in, watch

LINES = (Line("tea", 2, 350), Line("cup", 1, 900))
BODY = {"userId": 1, "lines": [{"article": "tea", "quantity": 2, "cents": 350}]}


@pytest.fixture
async def system(databases):
    async with open_system(databases, [ORDERS]) as opened:
        yield opened


@pytest.fixture
async def instance(system):
    async with run_instance(system.settings(), aggregates=[ORDERS]) as running:
        yield running


@pytest.fixture
async def serve(system, tmp_path):
    """Starts instances that have orders installed."""
    environment = installed_orders(tmp_path / "installed")
    servings = Servings(system, tmp_path)

    async def start(app_id="instance-1", **more):
        return await servings(app_id, **environment, **more)

    yield start
    await servings.close()


async def post_order(client, seed="run", **more):
    answer = await client.post(f"/api/v1/order-command?seed={seed}", json=BODY, **more)
    assert answer.status_code == 201, answer.text
    return answer.json()["id"]


async def a_user(client) -> None:
    """The one whom orders are of: of nobody's, a reaction would make another version."""
    assert (await client.post("/api/v1/user-command?seed=u", json={"email": "a@b"})).json()["id"] == 1


async def until_synchronized(system, orders: int) -> None:
    async def is_so() -> bool:
        done = await system.count("select count(*) from prm_order where status = 'SYNCRONIZED'")
        return (done, await system.count("select count(*) from prm_order_pending")) == (orders, 0)

    await until(is_so, f"{orders} orders synchronized")


async def test_runs_and_statistics_of_orders_are_asked_for_like_those_of_users(system, serve):
    client = (await serve()).client
    await a_user(client)
    for seed in ("a", "b", "b"):
        await post_order(client, seed)
    await until_synchronized(system, 3)
    stats = (await client.get("/api/v1/stats?aggregate=order&seed=b")).json()
    assert [(row["seed"], row["appId"], row["total"], row["synchronized"]) for row in stats] == [
        ("b", "instance-1", 2, 2)
    ]
    assert stats[0]["lagMs"]["p50"] > 0
    runs = (await client.get("/api/v1/runs?aggregate=order")).json()["runs"]
    assert [(run["seed"], run["total"], run["pending"]) for run in runs] == [("b", 2, 0), ("a", 1, 0)]
    for path in ("/api/v1/stats?", "/api/v1/stats?aggregate=user&"):
        assert [row["seed"] for row in (await client.get(f"{path}seed=u")).json()] == ["u"]


@pytest.mark.parametrize("path", ["stats", "runs", "live"])
async def test_an_aggregate_that_is_not_installed_is_named(shared_client, path):
    answer = await shared_client.get(f"/api/v1/{path}?seed=run&aggregate=invoice")
    assert answer.status_code == 400
    assert answer.json()["errors"] == [{"parameter": "aggregate", "detail": "must be one of user"}]


async def test_a_run_of_orders_is_watched_and_one_of_users_with_the_same_seed_is_another(serve):
    first, second = await serve("instance-1"), await serve("instance-2")
    await a_user(first.client)
    async with watch(first.client, "run", "order") as one, watch(second.client, "run", "order") as other:
        for served in (first, second, second):
            await post_order(served.client)
        events = [(await each.until(is_whole(3)))[-1] for each in (one, other)]
        for _ in range(3):  # what was sampled is kept with a later sample
            await one.next()
    for event in events:
        assert (event["pending"], event["deadLetters"]) == (0, 0)
        assert event["lagMs"]["p50"] > 0
        assert instance_in(event, "instance-2")["total"] == 2
    async with watch(first.client, "run") as users, watch(second.client, "run", "order") as orders:
        assert (await users.next())["stages"]["stored"] == 0
        assert (await orders.next())["history"][-1][1:5] == [3, 3, 3, 3]


def is_whole(orders: int):
    return lambda event: set(event["stages"].values()) == {orders}


async def test_what_is_in_flight_of_a_run_is_told_with_the_lease_for_each_kind_apart(system, instance):
    await create(instance, commands(1))
    flow = instance.own.flows["order"]
    async with system.postgres.transaction():
        await system.postgres.execute("lock table prm_order in access exclusive mode")
        for _ in range(3):
            flow.creates.offer(Sent(PlaceOrder(1, LINES), "run"))

        async def is_told() -> bool:
            sql = "select in_hand_of->'order'->'run'->>'creating' from tandem_instance"
            return await system.postgres.fetchval(sql) == "3"

        await until(is_told, "three orders in flight")
        of_users = msgspec.json.decode(await system.postgres.fetchval("select in_hand from tandem_instance"))
        assert "creating" not in of_users.get("run", {})
    await until_synchronized(system, 3)
