"""The page shows an installed aggregate as it shows users: live, in lists, and one with its history."""

import os

import httpx
import pytest
from playwright.async_api import expect

from installed import installed_orders
from page_stack import Stack
from up_process import run_up
from visit import Visit

ORDER = {"lines": [{"article": "tea", "quantity": 2, "cents": 350}]}


@pytest.fixture(scope="module")
def stack(new_place):
    """A stack that has orders installed."""
    place = new_place()
    environment = os.environ | installed_orders(place / "installed")
    with run_up(place / "data", "--instances", "2", env=environment) as running:
        yield Stack(running.port, running.data_dir)


async def place_orders(stack: Stack, seed: str, count: int) -> list[int]:
    """Orders of a new user."""
    async with httpx.AsyncClient(base_url=stack.url) as client:
        created = await client.post(f"/api/v1/user-command?seed={seed}", json={"email": "a@b"})
        body = ORDER | {"userId": created.json()["id"]}
        path = f"/api/v1/order-command?seed={seed}"
        return [(await client.post(path, json=body)).json()["id"] for _ in range(count)]


async def test_a_run_of_orders_is_watched_live_and_found_among_the_runs(visit: Visit, stack: Stack):
    await visit.open(aggregate="order", seed="shop")
    await visit.until_live()
    await expect(visit.page.locator("#order")).to_be_hidden()
    await place_orders(stack, "shop", 7)
    progress = visit.page.locator("#progress")
    await expect(progress).to_have_text("All 7 orders sent so far are in both databases.")
    assert await visit.stages() == [7, 7, 7, 7]
    assert await visit.violations() == []
    await visit.page.click("#tab-runs")
    await visit.page.click("#run-rows a >> text=shop")
    await expect(visit.page.locator("#progress")).to_contain_text("7 orders")


async def test_an_empty_list_leads_on(visit: Visit, stack: Stack):
    await visit.open(view="users", aggregate="order", seed="nothing")
    said = "There are no orders of run nothing yet. The API says how to send one."
    await expect(visit.page.locator("#members-state")).to_have_text(said)
    await visit.page.click("#members-state a")
    await visit.page.wait_for_url("**/api")


async def test_one_order_is_looked_at_in_every_version(visit: Visit, stack: Stack):
    order_id, *_ = await place_orders(stack, "ways", 2)
    async with httpx.AsyncClient(base_url=stack.url) as client:
        answer = await client.post(
            f"/api/v1/order-command/{order_id}/pay", json={"cents": 700}, headers={"Prefer": "wait=10"}
        )
        assert answer.json()["status"] == "SYNCRONIZED"
    await visit.open(view="users", aggregate="order", seed="ways")
    await expect(visit.page.locator("#member-rows tr")).to_have_count(2)
    assert await visit.violations() == []
    await visit.page.click(f"#member-rows a >> text={order_id}")
    changed = visit.page.locator("#version-change")
    await expect(changed).to_have_text("Changed: status.")
    assert '"status": "paid"' in await visit.text("member-document")
    await visit.page.click("#earlier")
    await expect(changed).to_have_text("The first version: all of it is new.")
    await expect(visit.page).to_have_url(f"{visit.url}?view=users&aggregate=order&id={order_id}&version=1")
    assert await visit.violations() == []


async def test_who_chooses_users_again_sees_users(visit: Visit, stack: Stack):
    (user_id,) = await stack.create("people", {"email": "jane@example.com"})
    await visit.open(view="users", aggregate="order")
    await visit.page.select_option("#kind", "user")
    await expect(visit.page.locator("#users-title")).to_be_visible()
    await visit.page.click("#found-rows a >> text=jane@example.com")
    await expect(visit.page).to_have_url(f"{visit.url}?view=users&id={user_id}")
    await expect(visit.page.locator("#user #history")).to_be_visible()
