"""The desk beside a stack: faults and load at the press of a button."""

import os
import signal
from pathlib import Path
from typing import Any

import psutil
import pytest

from command_line import finished
from desk import Desk
from tandem_lab.strikes import process_state
from tokens_for_tests import OURS, public_pem, token
from up_process import StartStack, Up
from waiting import eventually

PARTS = {"kill-mongodb": "mongodb", "kill-postgres": "postgres", "kill-instance": "instance-1"}


@pytest.fixture(scope="module")
def desk(stack: Up) -> Desk:
    """That of a stack for the whole module."""
    return Desk(stack)


def test_the_page_learns_what_it_can_break(desk: Desk):
    shown = desk.shown()
    faults = {fault["name"]: fault for fault in shown["faults"]}
    assert faults["kill-instance"]["targets"] == ["instance-1", "instance-2"]
    assert faults["pause-mongodb"]["hasSeconds"]
    assert not faults["kill-postgres"]["hasSeconds"]
    assert {"kill-host", "cut-host", "failover-postgres"}.isdisjoint(faults)
    assert shown["presets"][0]["name"] == "freeze-mongodb-then-kill-instance"
    assert shown["limits"] == {"users": 1_000_000, "rate": 20_000, "connections": 200, "seconds": 60}


@pytest.mark.slow
@pytest.mark.parametrize("fault", PARTS)
def test_what_is_killed_comes_back_as_another_process(desk: Desk, fault: str):
    part = PARTS[fault]
    before = eventually(lambda: desk.up.pids()[part], f"{part} runs")
    answer = desk.strike(fault, target=part)
    assert answer.status_code == 202, answer.text
    assert desk.until_over(answer.json()["id"])["state"] == "over"
    assert desk.up.pids()[part] not in {None, before}


@pytest.mark.slow
@pytest.mark.parametrize("part", ["mongodb", "postgres", "instance-2"])
def test_what_is_frozen_goes_on_when_its_time_is_over(desk: Desk, part: str):
    pid = eventually(lambda: desk.up.pids()[part], f"{part} runs")
    fault = f"pause-{part.partition('-')[0]}"
    struck = desk.strike(fault, target=part, seconds=5).json()
    frozen = [pid, *(each.pid for each in psutil.Process(pid).children() if part == "postgres")]
    stands_still = lambda: {process_state(each) for each in frozen} <= {psutil.STATUS_STOPPED, None}  # noqa: E731
    eventually(stands_still, f"{part} is frozen")
    again = desk.strike(fault, target=part)
    assert again.status_code == 409, again.text
    assert desk.until_over(struck["id"])["state"] == "over"
    assert process_state(pid) != psutil.STATUS_STOPPED
    assert eventually(lambda: desk.up.get("/health/ready")[0] == 200, "the stack takes commands")


@pytest.mark.slow
def test_a_rolling_restart_gives_every_instance_another_process(desk: Desk):
    instances = [each for each in desk.up.pids() if each.startswith("instance")]
    before = desk.up.pids()
    struck = desk.strike("rolling-restart").json()
    busy = desk.strike("kill-instance", target=instances[-1])
    assert busy.status_code == 409, busy.text
    assert desk.until_over(struck["id"])["state"] == "over"
    after = desk.up.pids()
    assert all(after[each] not in {None, before[each]} for each in instances)


@pytest.mark.slow
def test_a_preset_kills_an_instance_while_mongodb_is_frozen_and_others_take_its_users_over(desk: Desk):
    mongodb = desk.up.pids()["mongodb"]
    desk.client.post("/lab/load", json={"seed": "preset", "users": 4_000, "rate": 200, "connections": 50})
    eventually(lambda: desk.load()["acknowledged"]["create"] > 50, "users are created")
    asked = {"seed": "preset"}
    begun = desk.client.post("/lab/presets/freeze-mongodb-then-kill-instance", json=asked).json()["struck"]
    assert [each["fault"] for each in begun] == ["pause-mongodb"]
    after = lambda: [each for each in desk.shown()["struck"] if each["id"] > begun[0]["id"]]  # noqa: E731
    (kill,) = eventually(after, "the instance is killed")
    assert kill["fault"] == "kill-instance"
    assert process_state(mongodb) == psutil.STATUS_STOPPED
    assert desk.until_over(kill["id"])["state"] == desk.until_over(begun[0]["id"])["state"] == "over"
    assert desk.until_loaded()["state"] == "done"

    def taken_over() -> int:
        rows = desk.up.get("/api/v1/stats?seed=preset")[1]
        return sum(row["takenOver"] for row in rows if row["appId"] == kill["target"])

    eventually(taken_over, "others have finished what the dead one had in hand")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"fault": "burn"}, "#/fault"),
        ({"fault": "kill-instance", "target": "instance-9"}, "#/target"),
        ({"fault": "pause-mongodb", "seconds": 61}, "#/seconds"),
        ({"fault": "pause-mongodb", "seed": ""}, "#/seed"),
    ],
)
def test_a_fault_that_is_none_is_named(desk: Desk, body: dict[str, Any], field: str):
    answer = desk.client.post("/lab/faults", json=body)
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, field)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Origin": "http://evil.example"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Host": "evil.example"}, 421),
        ({"Content-Type": "text/plain"}, 415),
    ],
)
def test_the_page_of_another_site_breaks_nothing(desk: Desk, headers: dict[str, str], status: int):
    before = desk.shown()["struck"]
    asked = b'{"fault":"pause-instance"}'
    answer = desk.client.post(
        "/lab/faults", content=asked, headers={"Content-Type": "application/json"} | headers
    )
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    assert desk.shown()["struck"] == before


@pytest.mark.slow
def test_a_load_from_the_server_loses_nothing_when_an_instance_is_killed(desk: Desk):
    mix = {"create": 60, "update": 30, "delete": 10}
    order = {"seed": "from the server", "users": 2_000, "connections": 20, "mix": mix}
    started = desk.client.post("/lab/load", json=order)
    assert started.status_code == 202, started.text
    assert desk.client.post("/lab/load", json=order).status_code == 409
    eventually(lambda: desk.load()["acknowledged"]["create"] > 200, "users are created")
    struck = desk.strike("kill-instance", seed=order["seed"]).json()
    ended = desk.until_loaded()
    assert (ended["state"], ended["failed"], ended["reason"]) == ("done", 0, "")
    assert ended["acknowledged"] == {"create": 2_000, "update": 1_000, "delete": 333}
    assert desk.until_over(struck["id"])["state"] == "over"

    def row() -> dict[str, Any] | None:
        status, rows = desk.up.get("/api/v1/stats?seed=from%20the%20server")
        return rows[0] if status == 200 and rows and rows[0]["pending"] == 0 else None

    eventually(row, "all has reached MongoDB")
    verified = finished("verify", "--seed", "from the server", "--data-dir", desk.up.data_dir)
    assert verified.returncode == 0, verified.stdout + verified.stderr
    assert desk.up.get("/api/v1/user-query?seed=from%20the%20server&results=1")[0] == 200


@pytest.mark.slow
def test_a_load_can_be_stopped_and_what_it_had_sent_counts(desk: Desk):
    order = {"seed": "stopped", "users": 100_000, "rate": 200}
    desk.client.post("/lab/load", json=order)
    eventually(lambda: desk.load()["acknowledged"]["create"] > 50, "users are created")
    assert desk.client.delete("/lab/load").status_code == 202
    ended = desk.until_loaded()
    assert (ended["state"], ended["reason"]) == ("stopped", "")
    assert ended["sent"] == ended["acknowledged"]["create"] < 100_000


@pytest.mark.slow
def test_a_desk_that_is_killed_comes_back_and_lets_go_on_what_it_had_frozen(desk: Desk):
    victim, before = desk.up.pids()["instance-1"], desk.pid
    desk.strike("pause-instance", target="instance-1", seconds=60)
    eventually(lambda: process_state(victim) == psutil.STATUS_STOPPED, "it is frozen")
    os.kill(before, signal.SIGKILL)
    eventually(lambda: desk.pid not in {None, before}, "the desk is another process")
    assert desk.shown()["struck"] == []
    assert process_state(victim) != psutil.STATUS_STOPPED


@pytest.mark.slow
def test_a_desk_that_is_ended_ends_its_freezing(desk: Desk):
    victim, before = desk.up.pids()["instance-1"], desk.pid
    desk.strike("pause-instance", target="instance-1", seconds=60)
    eventually(lambda: process_state(victim) == psutil.STATUS_STOPPED, "it is frozen")
    os.kill(before, signal.SIGTERM)
    eventually(lambda: process_state(before) is None, "the desk has ended")
    assert process_state(victim) != psutil.STATUS_STOPPED


@pytest.mark.slow
def test_a_stack_can_do_without_it(start_stack: StartStack, place: Path):
    stack = start_stack(place / "without", "--no-desk")
    stack.until_it_says("Tandem is running")
    assert stack.get("/lab")[0] == 404
    assert stack.status()["beside"] == []


@pytest.mark.slow
def test_where_instances_want_a_token_the_desk_wants_that_of_an_operator(
    start_stack: StartStack, place: Path
):
    keys = place / "tokens.pub"
    keys.write_bytes(public_pem(OURS))
    stack = start_stack(place / "locked", env=os.environ | {"TOKEN_KEYS_FILE": str(keys)})
    stack.until_it_says("Tandem is running")
    desk = Desk(stack)
    asked = {"fault": "kill-instance", "target": "instance-1"}
    for scope, status in ((None, 401), ("command query feed", 403), ("operator", 202)):
        headers = {"Authorization": f"Bearer {token(scope=scope)}"} if scope else {}
        answer = desk.client.post("/lab/faults", json=asked, headers=headers)
        assert answer.status_code == status, answer.text
    desk.client.headers["Authorization"] = f"Bearer {token(scope='operator')}"
    assert desk.until_over(1)["state"] == "over"
    order = {"seed": "not allowed", "users": 10}
    assert desk.client.post("/lab/load", json=order).status_code == 202
    ended = desk.until_loaded()
    assert ended["state"] == "failed"
    assert "`command`" in ended["reason"]
    desk.client.headers["Authorization"] = f"Bearer {token(scope='operator command')}"
    desk.client.post("/lab/load", json=order)
    assert desk.until_loaded()["acknowledged"]["create"] == 10
