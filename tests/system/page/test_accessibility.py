"""The page for everybody: axe's rules, a whole run by keyboard, any width, no motion for who wants none."""

from urllib.parse import urlencode

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, expect

from page_stack import Stack
from visit import Visit

WCAG_22_AA = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
LIVE: dict[str, str] = {}
RUNS = {"view": "runs"}
VIEWS = [LIVE, {"view": "users"}, {"view": "users", "id": "1"}, RUNS]


async def violations(visit: Visit) -> list[str]:
    """What axe finds: the rule, and the elements that break it."""
    options = {"runOnly": WCAG_22_AA, "resultTypes": ["violations"]}
    results = await Axe().run(visit.page, options=options)
    return [
        f"{violation['id']}: {', '.join(node['html'] for node in violation['nodes'])}"
        for violation in results.response["violations"]
    ]


async def violations_light_and_dark(visit: Visit) -> list[str]:
    """The same for both colour schemes."""
    found = []
    for scheme in ("light", "dark"):
        await visit.page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        found += await violations(visit)
    return found


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
    assert await violations_light_and_dark(visit) == []

    for address in VIEWS:
        await visit.open(**address)
        await visit.page.wait_for_load_state("networkidle" if address else "load")
        if address == RUNS:
            await visit.page.click("#run-described")
            await expect(visit.page.locator("#described-sql")).to_be_visible()
        assert await violations_light_and_dark(visit) == []


async def test_axe_finds_no_violation_in_what_goes_wrong(visit: Visit):
    await visit.fill(count=0)
    await visit.choose("randomuser.me")
    await visit.generate()
    assert await violations_light_and_dark(visit) == []

    await visit.fill(count=1)
    await visit.generate()
    await visit.until("failed")
    assert await violations_light_and_dark(visit) == []


@pytest.mark.slow
async def test_axe_finds_no_violation_where_a_database_does_not_answer(visit: Visit, stack: Stack):
    await visit.fill(count=3_000)
    await visit.speed(rate=100)
    await visit.generate()
    await visit.until("sending")
    async with stack.without_mongodb():
        await expect(visit.page.locator("#progress")).to_contain_text("Stalled", timeout=15_000)
        assert await violations_light_and_dark(visit) == []
        await visit.page.reload()
        await expect(visit.page.locator("#resume-offer")).to_be_visible()
        assert await violations_light_and_dark(visit) == []
        await visit.open(view="users", id="1")
        await expect(visit.page.locator("#document-words")).to_contain_text("Not known", timeout=30_000)
        assert await violations_light_and_dark(visit) == []


async def test_a_whole_run_can_be_done_by_keyboard_alone(visit: Visit):
    keyboard = visit.page.keyboard
    await tab_to(visit, "#count")
    await keyboard.press("Control+a")
    await keyboard.type("25")
    await tab_to(visit, "#generate")
    await keyboard.press("Enter")
    await visit.until("done")
    assert await visit.stages() == [25] * 4
    await expect(visit.page.locator("#generate")).to_be_focused()

    await tab_to(visit, "#run-users")
    await keyboard.press("Enter")
    await expect(visit.page.locator("#users-title")).to_be_focused()
    await expect(visit.page.locator("#found-rows tr")).to_have_count(25)
    await tab_to(visit, "#found-rows a")
    await keyboard.press("Enter")
    await expect(visit.page.locator("#user-title")).to_be_focused()


async def tab_to(visit: Visit, selector: str) -> None:
    """Press the tabulator until this element has the focus; each step must be visible."""
    wanted = visit.page.locator(selector).first
    for _ in range(60):
        await visit.page.keyboard.press("Tab")
        assert await visit.page.evaluate("document.activeElement.matches(':focus-visible')")
        if await wanted.evaluate("element => element === document.activeElement"):
            return
    pytest.fail(f"the tabulator never came to {selector}")


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
