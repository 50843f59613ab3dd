"""The page for everybody: axe's rules, a whole run by keyboard, any width, no motion for who wants none."""

from urllib.parse import urlencode

import pytest
from playwright.async_api import Browser, expect

from page_stack import Stack
from visit import Visit, user

LIVE: dict[str, str] = {}
RUNS = {"view": "runs"}
VIEWS = [LIVE, {"view": "users"}, {"view": "users", "id": "1"}, RUNS, {"view": "race"}]


@pytest.fixture
async def finished_run(visit: Visit) -> Visit:
    """A visit after a run, so that every view has something to show."""
    await visit.fill(count=30)
    await visit.generate()
    await visit.until("done")
    return visit


async def test_axe_finds_no_violation_on_any_view_light_or_dark(finished_run: Visit):
    visit = finished_run
    await visit.page.click("text=Access")
    await visit.speed()
    assert await visit.violations() == []

    for address in VIEWS:
        await visit.open(**address)
        await visit.page.wait_for_load_state("networkidle" if address else "load")
        if address == RUNS:
            await visit.page.click("#run-described")
            await expect(visit.page.locator("#described-sql")).to_be_visible()
        assert await visit.violations() == []


async def test_a_wrong_address_gives_a_page_that_leads_back(visit: Visit):
    answer = await visit.page.goto(f"{visit.url}view/users")
    assert answer
    assert answer.status == 404
    assert await visit.violations() == []
    for width in (320, 768, 1600):
        await visit.page.set_viewport_size({"width": width, "height": 800})
        assert await visit.page.evaluate("document.documentElement.scrollWidth") == width
    await visit.page.click("text=Go to the live view")
    await expect(visit.page.locator("#live-title")).to_be_visible()


async def test_axe_finds_no_violation_in_what_goes_wrong(visit: Visit):
    await visit.fill(count=0)
    await visit.choose("randomuser.me")
    await visit.generate()
    assert await visit.violations() == []

    await visit.fill(count=1)
    await visit.generate()
    await visit.until("failed")
    assert await visit.violations() == []


@pytest.mark.slow
async def test_axe_finds_no_violation_where_a_database_does_not_answer(visit: Visit, stack: Stack):
    await visit.fill(count=3_000)
    await visit.speed(rate=100)
    await visit.generate()
    await visit.until("sending")
    async with stack.without_mongodb():
        await expect(visit.page.locator("#progress")).to_contain_text("Stalled")
        assert await visit.violations() == []
        await visit.page.reload()
        await expect(visit.page.locator("#resume-offer")).to_be_visible()
        assert await visit.violations() == []
        await visit.open(view="users", id="1")
        await expect(visit.page.locator("#document-words")).to_contain_text("Not known")
        assert await visit.violations() == []


async def test_a_whole_run_can_be_done_by_keyboard_alone(visit: Visit):
    keyboard = visit.page.keyboard
    await visit.tab_to("#count")
    await keyboard.press("Control+a")
    await keyboard.type("25")
    await visit.tab_to("#generate")
    await keyboard.press("Enter")
    await visit.until("done")
    assert await visit.stages() == [25] * 4
    await expect(visit.page.locator("#generate")).to_be_focused()

    await visit.tab_to("#run-users")
    await keyboard.press("Enter")
    await expect(visit.page.locator("#users-title")).to_be_focused()
    await expect(visit.page.locator("#found-rows tr")).to_have_count(25)
    await visit.tab_to("#found-rows a")
    await keyboard.press("Enter")
    await expect(visit.page.locator("#user-title")).to_be_focused()


async def test_no_view_scrolls_sideways_at_any_width(finished_run: Visit):
    page = finished_run.page
    for address in VIEWS:
        await finished_run.open(**address)
        await expect(page.locator("h1:visible")).to_have_count(1)
        await page.wait_for_load_state("networkidle" if address else "load")
        for width in (320, 360, 768, 1600):
            await page.set_viewport_size({"width": width, "height": 800})
            assert await page.evaluate("document.documentElement.scrollWidth") == width


async def test_nothing_moves_for_who_wants_less_motion(browser: Browser, stack: Stack):
    page = await browser.new_page(reduced_motion="reduce")
    visit = Visit(page, stack.url)
    await visit.open()
    await visit.fill(count=100)
    await visit.speed(rate=50)
    await visit.generate()
    await page.wait_for_selector("#line > .moving")

    assert await page.evaluate("document.getAnimations().length") == 0
    await page.close()


async def test_each_place_has_a_title_of_its_own(visit: Visit):
    titles = []
    for address in VIEWS:
        await visit.open(**address)
        await visit.page.wait_for_function("document.title.endsWith('· Tandem')")
        titles.append(await visit.page.title())
        assert urlencode(address) in visit.page.url
    assert len(set(titles)) == len(VIEWS)


@pytest.mark.parametrize("width", [360, 768, 1280])
async def test_axe_finds_no_violation_in_the_life_of_a_user(visit: Visit, stack: Stack, width: int):
    await visit.page.set_viewport_size({"width": width, "height": 800})
    (number,) = await stack.create("axe", user(1, name={"first": "Ada"}, phone="1", cell="2"))
    await stack.change(number, {"phone": "3", "cell": None, "location": {"city": "x" * 200}})
    page = visit.page

    async def is_fine() -> None:
        assert await visit.violations() == []
        assert await page.evaluate("document.documentElement.scrollWidth") == width

    await visit.open(view="users", id=str(number), version="2")
    await expect(page.locator("#differences > [data-kind=removed]")).to_be_visible()
    await is_fine()
    await page.click("#edit-open")
    await page.locator("#field-email").fill("nowhere")
    await page.click("#edit-save")
    await expect(page.locator("#field-email")).to_have_attribute("aria-invalid", "true")
    await is_fine()
    await page.locator("#field-email").fill("somebody@example.com")
    await stack.change(number, {"email": f"{'y' * 200}@example.com"})
    await page.click("#edit-save")
    await expect(page.locator("#edit-notice")).to_be_visible()
    await is_fine()
    await page.click("#edit-notice-do")
    await expect(page.locator("#edit-said")).to_contain_text("is loaded")
    await is_fine()
    await page.click("#removal-open")
    await is_fine()
    await page.click("#erase-instead")
    await is_fine()
    await page.keyboard.press("Escape")
    for query, left in (("", "was deleted"), ("?erase=true", "was erased")):
        await stack.delete(number, query)
        await visit.open(view="users", id=str(number))
        await expect(page.locator("#user-state")).to_contain_text(left)
        await is_fine()


async def test_a_user_is_changed_and_deleted_by_keyboard_alone(visit: Visit, stack: Stack):
    (number,) = await stack.create("keyboard", user(1, phone="1"))
    await visit.open(view="users", id=str(number))
    keyboard, news = visit.page.keyboard, visit.page.locator("#user-news")
    await visit.tab_to("#edit-open")
    await keyboard.press("Enter")
    await visit.tab_to("#field-phone")
    await keyboard.press("Control+a")
    await keyboard.type("2")
    await keyboard.press("Enter")
    await expect(news).to_have_text("Saved as version 2 in both databases.")

    await visit.tab_to("#removal-open")
    await keyboard.press("Enter")
    await visit.tab_to("#erase-instead")
    await keyboard.press("Enter")
    await keyboard.press("Space")
    await visit.tab_to("#removal-do")
    await keyboard.press("Enter")
    await expect(news).to_have_text("Erased in both databases.")
