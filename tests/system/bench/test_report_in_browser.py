"""A browser shows a report anywhere: any width, light, dark and printed, with values where one points."""

from contextlib import asynccontextmanager

import pytest
from axe_playwright_python.async_playwright import Axe

from reports import everything, proved, sample, side_by_side, soaked, under_limits
from tandem_lab.proof.peers import PeerCounts
from tandem_lab.report.limits import limits_page, soak_page
from tandem_lab.report.page import write_page, write_report
from tandem_lab.report.thresholds import ThresholdOutcome
from visit import WCAG_22_AA

PROOF = proved(tandem=PeerCounts(500), dual=PeerCounts(500, lost=7), outbox=PeerCounts(500, doubled=1))
REPORTS = {"everything": everything, "sample": sample, "peers": side_by_side}
PAGES = {"limits": lambda: limits_page(under_limits()), "soak": lambda: soak_page(soaked())}
PICTURES = {"everything": 6, "peers": 1, "limits": 2, "soak": 5}


@pytest.fixture
def opened(browser, tmp_path):
    """Opens one of the reports in a window of its own, and sees that nobody complains or is asked."""

    @asynccontextmanager
    async def open_report(name, **window):
        path = tmp_path / "report.html"
        outcome = ThresholdOutcome("at least 9,000 users/s", "5,628", met=False)
        if name in PAGES:
            write_page(PAGES[name](), path)
        else:
            write_report(REPORTS[name](), path, [outcome], PROOF)
        page = await browser.new_page(**{"viewport": {"width": 1280, "height": 900}, **window})
        complaints, requests = [], []
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda request: requests.append(request.url))
        await page.goto(path.as_uri())
        yield page
        await page.close()
        assert complaints == []
        assert requests == [path.as_uri()]

    return open_report


@pytest.mark.parametrize("name", PICTURES)
@pytest.mark.parametrize("width", [360, 1600])
async def test_a_browser_shows_it_for_everybody_and_without_sideways_scrolling(opened, name, width):
    async with opened(name, viewport={"width": width, "height": 900}) as page:
        assert await page.evaluate("document.documentElement.scrollWidth") == width
        pictures = await page.locator("svg[role=img]").evaluate_all(
            "all => all.map(each => [each.querySelector('title').textContent, each.clientWidth > 200])"
        )
        assert len(pictures) == PICTURES[name]
        assert all(title and is_wide for title, is_wide in pictures)
        for scheme in ("light", "dark"):
            await page.emulate_media(color_scheme=scheme)
            found = await Axe().run(page, options={"runOnly": WCAG_22_AA, "resultTypes": ["violations"]})
            assert [each["id"] for each in found.response["violations"]] == []


async def test_values_are_shown_where_one_points_by_keyboard_and_by_touch(opened):
    async with opened("peers", has_touch=True) as page:
        tip = page.locator(".tip")
        bar = page.locator("#peer-rates .bars li").first
        await bar.hover()
        assert await tip.inner_text() == "tandem: 4,100"
        await bar.blur()
        chart = page.locator("#peer-lags .chart")
        await chart.focus()
        await page.keyboard.press("ArrowRight")
        assert (await tip.inner_text()).split("\n") == ["ms until the answer: 3.00", "", "dual: 2.00"]
        await page.keyboard.press("Escape")
        assert not await tip.is_visible()
        await chart.tap()
        assert "ms until the answer" in await tip.inner_text()
        await page.locator("#side-by-side abbr").first.tap()
        assert await tip.inner_text() == "in both stores, over 200 connections"


@pytest.mark.parametrize("name", PAGES)
async def test_every_page_of_the_lab_lists_its_contents_and_shows_values(opened, name):
    async with opened(name) as page:
        links = await page.locator("nav a").evaluate_all("all => all.map(each => each.hash)")
        assert links == [
            f"#{each}" for each in await page.locator("section").evaluate_all("a => a.map(b => b.id)")
        ]
        await page.locator(".chart").first.focus()
        await page.keyboard.press("ArrowRight")
        assert ":" in await page.locator(".tip").inner_text()


async def test_a_course_is_zoomed_by_dragging_and_by_keyboard(opened):
    async with opened("sample") as page:
        chart = page.locator("#throughput .chart")
        ticks = chart.locator(".ticks")
        before = await ticks.inner_html()
        await chart.scroll_into_view_if_needed()
        box = await chart.bounding_box()
        await page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 50)
        await page.mouse.down()
        await page.mouse.move(box["x"] + 3 * box["width"] / 4, box["y"] + 50)
        await page.mouse.up()
        dragged = await ticks.inner_html()
        await chart.dblclick()
        assert await ticks.inner_html() == before != dragged
        await chart.press("+")
        assert await ticks.inner_html() != before
        await chart.press("-")
        assert await ticks.inner_html() == before


async def test_it_can_be_read_without_scripts_and_on_paper(opened):
    async with opened("peers", color_scheme="dark") as page:
        await page.locator("#peer-rates .bars li").first.hover()
        await page.emulate_media(media="print")
        for hidden in (".tip", ".hint", "nav"):
            assert not await page.locator(hidden).first.is_visible()
        assert await page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    async with opened("peers", java_script_enabled=False) as page:
        assert await page.locator("#peer-lags .area .line").count() == 3
        assert "4,100" in await page.locator("#side-by-side").inner_text()
        assert await page.locator("nav a").count() == await page.locator("section").count()
