"""The race: by its engine, at the desk, and on the page. Another design is killed beside Tandem."""

import asyncio
import os
import re
import signal
from collections.abc import Callable
from typing import Any

import asyncpg
import httpx
import pytest
from playwright.async_api import Route, expect
from pymongo import AsyncMongoClient

from page_stack import Stack
from tandem_lab.race.race import race
from tandem_lab.race.results import Plan, Race
from tandem_stack.mongodb import LAB_DATABASE
from tandem_stack.status import read_status
from visit import Visit
from waiting import until

FORGETFUL = "losing_peer:answers_first"  # it writes a second later than it answers
PAGE_SECONDS = 240


async def raced(plan: Plan, stack: Stack, stop_at: Callable[[Race], bool] = lambda _: False) -> Race:
    """The race as it was told last; it is stopped as soon as that is wanted."""
    told: list[Race] = []
    stop = asyncio.Event()

    def tell(state: Race) -> None:
        told.append(state)
        if stop_at(state):
            stop.set()

    await race(plan, stack.data_dir, tell, stop)
    return told[-1]


async def is_cleared_up(stack: Stack) -> bool:
    """Whether no store of a peer is left, in PostgreSQL or in MongoDB."""
    status = read_status(stack.data_dir)
    connection = await asyncpg.connect(status.postgres.url)
    schemas = await connection.fetch("SELECT FROM pg_namespace WHERE nspname IN ('peer', 'plain_way')")
    await connection.close()
    async with AsyncMongoClient[dict[str, Any]](status.mongodb.url) as client:
        databases = await client.list_database_names()
    return schemas == [] and LAB_DATABASE not in databases


@pytest.mark.slow
async def test_who_answers_before_it_writes_loses_users_and_tandem_none(stack: Stack):
    found = await raced(Plan(peer=FORGETFUL, users=400, seed="race-1", fault="kill"), stack)
    tandem, other = found.sides
    assert (found.state, found.reason) == ("done", "")
    for side in found.sides:
        assert side.acknowledged == 400
        assert side.history[-1][1:] == (400, side.second)
    assert (tandem.first, tandem.second, tandem.lost, tandem.doubled) == (400, 400, 0, 0)
    assert other.lost > 0
    assert other.lost + other.second == 400
    assert re.match(r"losing answers-first and instance-\d of Tandem were killed", found.faults[0].text)
    assert f"has lost {other.lost} of 400 users that it had acknowledged; Tandem none." in found.sentence
    assert await is_cleared_up(stack)


@pytest.mark.slow
async def test_a_race_that_is_stopped_leaves_nothing_of_the_other_design(stack: Stack):
    plan = Plan(peer=FORGETFUL, users=5_000, rate=20, seed="race-2")
    found = await raced(plan, stack, stop_at=lambda state: state.sides[1].acknowledged > 0)
    assert found.state == "stopped"
    assert found.sides[1].lost is None
    assert await is_cleared_up(stack)


async def test_what_cannot_race_fails_with_a_reason(stack: Stack):
    await stack.create("race-taken", {"email": "somebody@example.com"})
    taken = await raced(Plan(peer=FORGETFUL, users=10, seed="race-taken"), stack)
    assert (taken.state, taken.reason) == (
        "failed",
        "The run 'race-taken' has users already. Name another seed.",
    )
    nowhere = await raced(Plan(peer=FORGETFUL, users=10, seed="x"), Stack(0, stack.data_dir.parent / "none"))
    assert nowhere.state == "failed"
    assert "Start it with `tandem up`" in nowhere.reason


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"peer": "nobody"}, "#/peer"),
        ({"users": 20_001}, "#/users"),
        ({"users": 20_000, "rate": 1}, "#/rate"),
        ({"fault": "flood"}, "#/fault"),
        ({"seed": "not an address"}, "#/seed"),
    ],
)
async def test_the_desk_names_the_field_that_is_wrong(stack: Stack, change: dict[str, Any], pointer: str):
    order = {"peer": "plain_way", "users": 10, "seed": "race-3"} | change
    async with httpx.AsyncClient(base_url=stack.url) as client:
        answer = await client.post("/lab/race", json=order)
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["pointer"] == pointer


@pytest.mark.slow
async def test_at_the_desk_there_is_one_race_at_a_time_and_it_can_be_stopped(stack: Stack):
    order = {"peer": "plain_way", "users": 5_000, "rate": 20, "seed": "race-4"}
    async with httpx.AsyncClient(base_url=stack.url, timeout=30) as client:
        assert "plain_way" in (await client.get("/lab")).json()["peers"]

        async def is_in(state: str) -> bool:
            return (await client.get("/lab/race")).json()["state"] == state

        assert (await client.post("/lab/race", json=order)).status_code == 202
        assert (await client.post("/lab/race", json=order | {"seed": "race-5"})).status_code == 409
        await until(lambda: is_in("sending"), "it sends")
        assert (await client.delete("/lab/race")).status_code == 202
        await until(lambda: is_in("stopped"), "it is stopped")
        assert (await client.get("/lab")).json()["race"]["seed"] == "race-4"
    assert await is_cleared_up(stack)


@pytest.mark.slow
async def test_a_race_clears_up_where_the_desk_was_killed(stack: Stack):
    order = {"peer": "plain_way", "users": 5_000, "rate": 20, "seed": "race-6"}
    async with httpx.AsyncClient(base_url=stack.url, timeout=30) as client:

        async def is_sending() -> bool:
            return (await client.get("/lab/race")).json()["state"] == "sending"

        async def is_back() -> bool:
            return (await client.get("/lab/race")).status_code == 200

        assert (await client.post("/lab/race", json=order)).status_code == 202
        await until(is_sending, "it sends")
        (desk,) = read_status(stack.data_dir).beside
        os.kill(desk.pid, signal.SIGKILL)
        await until(lambda: is_cleared_up(stack), "nothing is left of the other design")
        await until(is_back, "the desk is back")


@pytest.mark.slow
@pytest.mark.timeout(400)
async def test_the_page_shows_a_race_from_its_first_user_to_what_was_lost(visit: Visit, stack: Stack):
    page = visit.page
    await page.click("#tab-race")
    await visit.fill(**{"race-users": 5})
    await page.click("#race-start")
    await expect(page.locator("#race-users-hint")).to_have_text("It must be at least 10.")
    assert await visit.violations() == []

    await visit.fill(**{"race-users": 150, "race-rate": 0})
    await page.keyboard.press("Enter")
    await expect(page.locator("#race-users-hint")).to_have_text("10 to 20,000")
    await expect(page.locator("#race-shown")).to_be_visible()
    await expect(page.locator("#race-shown")).to_have_attribute(
        "data-state", "done", timeout=PAGE_SECONDS * 1000
    )
    async with httpx.AsyncClient(base_url=stack.url) as client:
        tandem, other = (found := (await client.get("/lab/race")).json())["sides"]
    assert (tandem["acknowledged"], tandem["second"], tandem["lost"]) == (150, 150, 0)
    assert other["lost"] + other["second"] == other["acknowledged"] == 150
    await expect(page.locator("#race-sentence")).to_have_text(found["sentence"])
    lanes = page.locator(".lane")
    await expect(lanes.nth(0).locator(".missing")).to_have_text("None lost")
    await expect(lanes.nth(1).locator(".second output")).to_have_text(str(other["second"]))
    await expect(lanes.nth(1).locator(".struck")).to_have_count(len(found["faults"]))
    for width in (360, 1280):
        await page.set_viewport_size({"width": width, "height": 900})
        assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        assert await visit.violations() == []


@pytest.mark.slow
async def test_who_stops_a_race_on_the_page_is_told_until_it_has_cleared_up(visit: Visit):
    state = visit.page.locator("#race-state")
    await visit.page.click("#tab-race")
    await visit.fill(**{"race-users": 2_000, "race-rate": 20})
    await visit.page.click("#race-start")
    await expect(state).to_contain_text("Both get the same users")
    await visit.page.click("#race-stop")
    await expect(state).to_contain_text("Stopping")
    await expect(state).to_contain_text("Stopped. The plain way is ended")
    await expect(visit.page.locator("#race-start")).to_have_attribute("aria-disabled", "false")


async def test_where_there_is_no_desk_there_is_no_tab_and_the_address_says_why(visit: Visit):
    async def nothing(route: Route) -> None:
        await route.fulfill(status=404, json={"title": "Not Found", "status": 404})

    await visit.page.route("**/lab", nothing)
    await visit.open(view="race")
    await expect(visit.page.locator("#race-state")).to_contain_text("There is no race here.")
    await expect(visit.page.locator("#race-order")).to_be_hidden()
    await expect(visit.page.locator("#tab-race")).to_be_hidden()
    assert await visit.violations() == []
