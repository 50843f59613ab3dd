"""What operators and people see of users is there for every installed aggregate."""

import json
import re

import msgspec
import pytest
from orders.order import Line, PlaceOrder
from prometheus_client.parser import text_string_to_metric_families

from command_line import run_tandem
from installed import installed_orders
from new_servers import run_script
from systems import Servings, commands, create
from tandem.aggregates.messages import Sent
from trace_collector import FOLLOWED, TRACE, run_collector
from waiting import until
from watching import instance_in, watch

LINES = (Line("tea", 2, 350), Line("cup", 1, 900))
BODY = {"userId": 1, "lines": [{"article": "tea", "quantity": 2, "cents": 350}]}


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


async def test_a_run_of_orders_is_judged_like_one_of_users(system, serve):
    client = (await serve()).client
    await a_user(client)
    for _ in range(3):
        await post_order(client, "a")
    await until_synchronized(system, 3)
    path = "/api/v1/runs/a/verdict"
    body = {"acknowledged": {"create": 3}, "countedBy": "server"}
    verdict = (await client.post(f"{path}?aggregate=order", json=body)).json()
    assert re.fullmatch(r"3 orders in [\d.]+ s; 0 lost; both stores equal", verdict["sentence"])
    assert verdict["doubled"] is None
    assert (await client.get(f"{path}.html?aggregate=order")).status_code == 200
    assert (await client.post(path, json=body)).status_code == 404
    fault = {"at": "2026-01-02T03:04:05Z", "kind": "fault", "text": "x"}
    assert (await client.post("/api/v1/runs/a/happenings?aggregate=order", json=fault)).status_code == 204
    for aggregate, told in (("order", ["x"]), ("user", [])):
        async with watch(client, "a", aggregate) as watching:
            assert [each["text"] for each in (await watching.next())["happenings"]] == told


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

        async def is_kept() -> bool:  # with a later sample
            async with watch(second.client, "run", "order") as orders:
                return [3, 3, 3, 3] in [sample[1:5] for sample in (await orders.next())["history"]]

        await until(is_kept, "what was sampled is kept, for whoever watches from now on")
    for event in events:
        assert (event["pending"], event["deadLetters"]) == (0, 0)
        assert event["lagMs"]["p50"] > 0
        assert instance_in(event, "instance-2")["total"] == 2
    async with watch(first.client, "run") as users:
        assert (await users.next())["stages"]["stored"] == 0


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


async def told_by(client) -> dict[tuple[str, ...], float]:
    """What Prometheus is told: name and label values to value."""
    families = text_string_to_metric_families((await client.get("/metrics")).text)
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in families
        for sample in family.samples
    }


async def test_orders_are_counted_at_each_stage_beside_users(system, serve):
    client = (await serve()).client
    await a_user(client)
    for _ in range(3):
        order_id = await post_order(client)
    await until_synchronized(system, 3)
    paid = await client.post(f"/api/v1/order-command/{order_id}/pay", json={"cents": 700})
    assert paid.status_code == 200
    await until_synchronized(system, 3)

    async def all_is_counted() -> bool:
        told = await told_by(client)
        stages = "tandem_aggregate_stage_total", "order"
        return told[*stages, "synchronized"] == 4 and told["tandem_reactions_done_total",] == 3

    await until(all_is_counted, "three orders and their reactions counted")
    told = await told_by(client)
    stages = {key[2]: value for key, value in told.items() if key[0] == "tandem_aggregate_stage_total"}
    assert (stages["stored"], stages["updated"], stages["deleted"], stages["set_aside"]) == (3, 1, 0, 0)
    assert (stages["projected"], stages["synchronized"]) == (4, 4)
    assert told["tandem_aggregate_lag_seconds_count", "order"] == 4
    for name in ("pending", "dead_letters", "recovered_total", "taken_over_total"):
        assert told[f"tandem_aggregate_{name}", "order"] == 0
    assert told["tandem_reactions_pending",] == 0
    assert told["tandem_batch_items_sum", "create order"] == 3
    assert told["tandem_stage_users_total", "stored"] == 1


async def test_of_aggregates_nothing_is_told_where_none_is_installed(shared_client):
    text = (await shared_client.get("/metrics")).text
    assert not re.search("tandem_(aggregate|reaction|oldest_reaction)", text)


VALIDATOR = {"seed": {"$ne": "refused"}}


async def validate(system, rule) -> None:
    """Have MongoDB refuse all orders that do not keep this rule."""
    await system.mongodb.get_default_database().command("collMod", "orders", validator=rule)


async def until_set_aside(system, orders: int) -> None:
    async def is_so() -> bool:
        return await system.count("select count(*) from prm_order_dead_letter") == orders

    await until(is_so, f"{orders} dead letters")


async def test_dead_letters_of_orders_are_seen_and_sent_again_like_those_of_users(system, serve):
    client = (await serve()).client
    url = ("--url", str(client.base_url), "--aggregate", "orders")
    await a_user(client)
    assert await run_tandem("dead-letters", "list", *url) == (0, "No dead letters.\n")
    await validate(system, VALIDATOR)
    order_id = await post_order(client, "refused")
    await until_set_aside(system, 1)

    flow = await client.get("/health/flow")
    assert flow.status_code == 503
    detail = flow.json()["detail"]
    assert detail.startswith(
        "Orders were set aside: 1 dead letter. `tandem dead-letters list --aggregate orders`"
    )
    told = await told_by(client)
    assert (told["tandem_aggregate_dead_letters", "order"], told["tandem_dead_letters",]) == (1, 0)
    (letter,) = (await client.get("/api/v1/order-dead-letters")).json()
    assert (letter["id"], letter["seed"], letter["version"]) == (order_id, "refused", 1)
    code, listed = await run_tandem("dead-letters", "list", *url)
    assert (code, listed.split()[:2], str(order_id) in listed) == (0, ["order", "seed"], True)
    code, shown = await run_tandem("dead-letters", "show", str(order_id), *url)
    assert json.loads(shown)["state"]["lines"] == BODY["lines"]
    assert (await client.get("/api/v1/order-dead-letters/1")).json()["detail"] == "Order 1 is no dead letter."

    await validate(system, {})
    assert await run_tandem("dead-letters", "retry", "--all", *url) == (0, "1 order is on its way again.\n")
    await until_synchronized(system, 1)
    flow = (await client.get("/health/flow")).json()
    assert (flow["status"], flow["oldestPendingSecondsOf"], flow["oldestReactionSeconds"]) == (
        "flowing",
        {"order": 0},
        0,
    )


async def test_an_identity_conflict_of_an_order_is_solved_as_it_says(system, serve):
    client = (await serve()).client
    await a_user(client)
    orders = system.mongodb.get_default_database()["orders"]
    await orders.insert_one({"_id": 2, "seed": "run", "version": 1, "createdAt": "another time"})
    assert await post_order(client) == 2
    await until_set_aside(system, 1)
    error = (await client.get("/api/v1/order-dead-letters/2")).json()["error"]
    said = re.search("`tandem (dead-letters retry 2 .+)` writes this order over it", error)
    code, output = await run_tandem(*said[1].split(), "--url", str(client.base_url))
    assert (code, output) == (0, "1 order is on its way again.\n")
    await until_synchronized(system, 1)
    assert (await client.get("/api/v1/order-query/2")).json()["cents"] == 700
    answer = await client.post("/api/v1/order-dead-letters/2/replace")
    assert answer.status_code == 404


async def test_statistics_of_orders_are_shown_by_the_command_line(system, serve):
    client = (await serve()).client
    url = ("--url", str(client.base_url))
    assert await run_tandem("stats", "--aggregate", "orders", *url) == (0, "No orders yet.\n")
    await a_user(client)
    await post_order(client, "shown")
    await post_order(client, "shown")
    code, table = await run_tandem("stats", "--aggregate", "order", *url, COLUMNS="160")
    assert code == 0
    assert "orders/s" in table
    assert "shown" in table
    code, said = await run_tandem("stats", "--aggregate", "invoices", *url)
    assert code == 1
    assert "There are: users, orders." in said


async def test_a_reaction_that_keeps_failing_or_waits_for_long_is_no_health(system, serve):
    client = (await serve()).client
    await a_user(client)
    await post_order(client)
    await until_synchronized(system, 1)
    # Of a reaction that no program knows any more: nobody carries it out.
    await system.postgres.execute(
        "insert into tandem_reaction (reaction, kind, id, version, event_type, created_at, failures, error) "
        "values ('order/forgotten', 'order', 2, 1, 'OrderPlaced', now() - interval '1 hour', 0, 'KeyError')"
    )

    async def is_told(part: str) -> bool:
        answer = await client.get("/health/flow")
        return answer.status_code == 503 and part in answer.json()["detail"]

    await until(lambda: is_told("The oldest of 1 reactions has waited 36"), "an old reaction")
    assert (await told_by(client))["tandem_oldest_reaction_seconds",] >= 3600
    await system.postgres.execute("update tandem_reaction set failures = 3")
    failing = "A reaction fails again and again: order/forgotten of order 2: KeyError."
    await until(lambda: is_told(failing), "a failing reaction")


async def test_an_order_that_waits_for_long_is_no_health(system, serve):
    client = (await serve()).client
    await system.postgres.execute(
        "insert into prm_order_pending values (7, 1, 1, now() - interval '1 hour');"
        "insert into tandem_instance (incarnation, app_id, lease_until) overriding system value "
        "values (1000, 'elsewhere', now() + interval '1 hour');"
        "update prm_order_pending set incarnation = 1000"
    )
    answer = await client.get("/health/flow")
    assert answer.status_code == 503
    assert answer.json()["detail"].startswith("The oldest pending order has waited 3600 s for MongoDB")


CHANGED_BY_HAND = (
    "update prm_order_event set event_data = '{}' where event_type = 'OrderPlaced' and order_id = $1"
)


async def test_the_check_of_the_log_reads_that_of_orders_too(system, serve, tmp_path):
    client = (await serve()).client
    known = {"POSTGRES_URL": system.urls.postgres_owner_url, "MONGODB_URL": system.urls.mongodb_owner_url}
    known |= installed_orders(tmp_path / "checked")
    await a_user(client)
    for _ in range(2):
        order_id = await post_order(client)
    await until_synchronized(system, 2)
    code, said = await run_tandem("events", "check", **known)
    orders = "Events of 2 orders: 2 OrderPlaced (format 1), 2 SYNCRONIZED (format 1)."
    assert (code, said.splitlines()[1:]) == (0, [orders, "This program reads all of them."])
    assert said.startswith("Events of 1 users: ")

    await system.postgres.execute(CHANGED_BY_HAND, order_id)
    code, said = await run_tandem("events", "check", **known)
    assert code == 1
    assert f"Order {order_id}, version 1, OrderPlaced: " in said
    assert "1 orders cannot be read by this program." in said


async def test_before_the_first_migration_of_an_aggregate_there_is_no_log_to_check(shared_system, tmp_path):
    urls = shared_system.urls
    known = {"POSTGRES_URL": urls.postgres_owner_url, "MONGODB_URL": urls.mongodb_owner_url}
    code, said = await run_tandem("events", "check", **known, **installed_orders(tmp_path))
    assert (code, said.splitlines()) == (
        0,
        [
            "Events of 0 users: none.",
            "There is no log of orders yet: `tandem migrate` makes it.",
            "This program reads all of them.",
        ],
    )


async def test_a_trace_leads_through_the_steps_of_an_order(serve):
    async with run_collector() as collector:
        client = (await serve("one", TRACES_URL=collector.url, TRACES_RATIO="0")).client
        await a_user(client)
        await post_order(client, headers=FOLLOWED)
        steps = ["create order", "show order", "synchronize order"]
        request = "POST /api/v1/order-command"
        await collector.until_seen([request, *steps])
    first, *seen = collector.of_trace(TRACE)
    assert {span.parent_id for span in seen} == {first.span_id}
    systems = [(span.attributes["db.system.name"], span.attributes["db.collection.name"]) for span in seen]
    assert systems == [("postgresql", "prm_order"), ("mongodb", "orders"), ("postgresql", "prm_order")]


async def test_ids_of_orders_are_not_given_again_and_orders_that_were_lost_are_told_of(system, serve):
    first = await serve("instance-1")
    await a_user(first.client)
    assert await post_order(first.client) == 2
    await until_synchronized(system, 1)
    assert await first.terminate() == 0
    # As after a restore: the sequence has not given what there is.
    await system.postgres.execute("select setval('prm_user_id_seq', 1)")
    second = await serve("instance-2")
    assert await post_order(second.client) > 100_000_000
    orders = system.mongodb.get_default_database()["orders"]
    await orders.insert_one({"_id": 77, "seed": "run", "version": 1})
    answer = await second.client.get("/health/flow")
    assert answer.status_code == 503
    assert "MongoDB has 1 order that PostgreSQL has lost, the first with the id 77" in answer.json()["detail"]


async def test_who_took_up_whose_orders_is_told(system, serve):
    first, second = await serve("instance-1"), await serve("instance-2")
    await a_user(first.client)
    order_id = await post_order(first.client)
    await until_synchronized(system, 1)
    await first.kill()
    # Pending again, in the name of a life that has ended.
    await system.postgres.execute(
        "insert into prm_order_pending (order_id, version, incarnation, created_at) values ($1, 1, 0, now())",
        order_id,
    )
    async with watch(second.client, "run", "order") as watching:
        taken = {"instance-1": 1}
        await watching.until(lambda event: instance_in(event, "instance-2")["tookOverFrom"] == taken)
    assert (await told_by(second.client))["tandem_aggregate_recovered_total", "order"] == 1


async def test_after_the_loss_of_mongodb_orders_are_sent_again(system, serve):
    client = (await serve()).client
    await a_user(client)
    for _ in range(3):
        await post_order(client)
    await until_synchronized(system, 3)
    orders = system.mongodb.get_default_database()["orders"]
    await orders.delete_many({})
    url = system.urls.postgres_owner_url
    said = run_script(url, "pending_again.sql", "-At", "--set=since=-infinity", "--set=kind=order")
    assert said.splitlines()[-1] == "3"
    await until_synchronized(system, 3)
    assert await orders.count_documents({}) == 3
    (row,) = (await client.get("/api/v1/stats?aggregate=order")).json()
    assert (row["total"], row["synchronized"], row["pending"]) == (3, 3, 0)
