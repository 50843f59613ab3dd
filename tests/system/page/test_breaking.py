"""Users from the server, and faults by button: tried in a real browser, on a stack that really breaks."""

import re

import pytest
from playwright.async_api import expect

from page_stack import Stack
from visit import Visit


async def from_server(visit: Visit, *, users: int, rate: int, update: int = 0, delete: int = 0) -> None:
    """Have the server send."""
    await visit.page.check("input[name=sender][value=server]")
    await visit.page.click("text=Speed")
    await visit.page.fill("#mix-create", "100")
    await visit.page.fill("#mix-update", str(update))
    await visit.page.fill("#mix-delete", str(delete))
    await visit.fill(count=users, rate=rate)
    await visit.generate()


async def test_where_no_desk_is_nothing_of_it_is_shown(visit: Visit, stack: Stack):
    instance = (await stack.instances())[0]
    visit.url = f"http://127.0.0.1:{instance['port']}/"  # the service as it is deployed elsewhere
    async with visit.page.expect_response("**/lab") as asked:
        await visit.open()
    assert (await asked.value).status == 404
    await visit.until_live()

    assert await visit.page.is_hidden("#sender")
    assert await visit.page.is_hidden("#break")


@pytest.mark.parametrize("status", [401, 403])
async def test_who_may_not_operate_is_told_what_it_takes(visit: Visit, status: int):
    await visit.page.route("**/lab", lambda route: route.fulfill(status=status, body="{}"))
    await visit.page.reload()
    await expect(visit.page.locator("#break-said")).to_contain_text("the right “operator”")
    assert await visit.page.is_hidden("#break-tools")
    assert await visit.page.is_hidden("#sender")

    await visit.page.unroute("**/lab")
    await visit.page.click("text=Access")
    await visit.fill(token="better")
    await visit.page.click("text=Use it")
    await expect(visit.page.locator("#break-tools")).to_be_visible()
    await expect(visit.page.locator("#break-said")).to_be_empty()


async def test_the_server_sends_what_was_mixed_and_the_run_ends_when_all_is_synchronized(visit: Visit):
    await from_server(visit, users=200, rate=0, update=50, delete=25)
    await visit.until("done")

    status = await visit.text("status")
    assert re.fullmatch(r"Done: 200 users were accepted, 100 updated, 50 deleted in [\d.]+ s\.", status)
    assert await visit.text("sent-count") == "200 of 200"
    rows = await visit.statistics()
    assert sum(row["total"] for row in rows) == 200
    assert sum(row["deleted"] for row in rows) == 50
    await expect(visit.page.locator("#ending-verdict")).to_contain_text("0 lost, 0 doubled")


async def test_a_run_of_the_browser_ends_with_a_verdict_that_is_kept_under_runs(visit: Visit):
    await visit.fill(count=30)
    await visit.generate()
    await visit.until("done")
    await expect(visit.page.locator("#ending-verdict")).to_contain_text("0 lost, 0 doubled")
    seed = await visit.page.input_value("#seed")
    verdict = await visit.page.request.get(f"{visit.url}api/v1/runs/{seed}/verdict")
    assert (await verdict.json())["acknowledged"]["create"] == 30

    await visit.page.click("#ending-link")
    await expect(visit.page).to_have_url(f"{visit.url}?view=runs&seed={seed}")
    await visit.page.click("#tab-live")
    await visit.page.click("#fresh-seed")
    assert await visit.page.is_hidden("#ending")


async def test_a_load_from_the_server_is_found_again_after_a_reload_and_can_be_stopped(visit: Visit):
    await from_server(visit, users=50_000, rate=50)
    await visit.until("sending")
    await visit.until_samples(2)
    await visit.page.reload()
    await visit.until("sending")
    await expect(visit.page.locator("#sent-count")).to_contain_text("of 50,000")
    assert await visit.page.is_checked("input[name=sender][value=server]")
    assert await visit.page.input_value("#count") == "50000"

    await visit.page.click("#cancel")
    await visit.until("cancelled")
    stages = await visit.stages()
    assert 0 < stages[0] < 50_000
    assert stages == [stages[0]] * 4
    assert (await visit.text("status")).startswith(f"Stopped. {stages[0]:,} users were accepted")


async def test_what_the_server_cannot_send_is_said_beside_the_field(visit: Visit):
    await from_server(visit, users=1_000_001, rate=0)
    assert await visit.text("count-hint") == "Enter a whole number from 1 to 1,000,000."
    await visit.fill(count=1)
    await visit.page.fill("#mix-create", "0")
    await visit.generate()
    assert await visit.text("mix-create-hint") == "Enter a whole number from 1 to 100."

    await visit.page.check("input[name=sender][value=browser]")
    await visit.fill(count=100_001)
    await visit.generate()
    assert await visit.text("count-hint") == "Enter a whole number from 1 to 100,000."


@pytest.mark.slow
async def test_a_kill_by_button_loses_nothing_and_is_a_line_in_both_charts(visit: Visit):
    killed = "instance-2 was killed, and again whenever it was back, for 7 s"
    await from_server(visit, users=1_500, rate=100)
    await visit.until("sending")
    await visit.until_samples(3)
    await visit.page.select_option("[aria-label='Kill an instance: which']", "instance-2")
    await visit.tab_to("#faults button")
    await visit.page.keyboard.press("Enter")
    await expect(visit.page.locator("#struck")).to_contain_text("going on since")
    for chart in ("rate-chart", "lag-chart"):
        fault = visit.page.locator(f"#{chart} .fault")
        await expect(fault).to_have_attribute("aria-label", re.compile(rf"^at \d+:\d\d: {killed}$"))
        await fault.focus()
        await expect(visit.page.locator(f"#{chart} .reading")).to_contain_text(killed)
        await visit.until_samples(1)  # the chart is drawn anew
        await expect(fault).to_be_focused()
    assert await visit.violations() == []
    await expect(visit.page.locator("#struck")).to_contain_text("well again after")
    await visit.until("done")

    assert await visit.stages() == [1_500] * 4
    assert await visit.page.is_hidden("#failed") or await visit.text("failed") == ""
    await visit.page.reload()
    await expect(visit.page.locator("#happenings")).to_contain_text(killed)
    await expect(visit.page.locator("#rate-chart .fault")).to_have_count(1)


@pytest.mark.slow
async def test_what_is_struck_already_is_said_and_its_end_is_shown(visit: Visit):
    freeze = visit.page.get_by_role("button", name="Freeze MongoDB", exact=True)
    seconds = visit.page.get_by_label("Freeze MongoDB: for how many seconds, 1 to 60")
    await seconds.fill("0")
    await freeze.click()
    await expect(visit.page.locator("#break-said")).to_contain_text("seconds")

    await seconds.fill("3")
    await freeze.click()
    struck = visit.page.locator("#struck li").first
    await expect(struck).to_contain_text("MongoDB was frozen for 3 s. going on")
    await freeze.click()
    await expect(visit.page.locator("#break-said")).to_have_text(
        "MongoDB is struck just now. Wait until it is well."
    )
    await expect(struck).to_contain_text("well again after")
