"""A browser shows a report anywhere."""

import pytest

from reports import everything
from tandem_lab.report.page import write_report
from tandem_lab.report.thresholds import ThresholdOutcome


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1600])
async def test_a_browser_shows_it_without_a_request_an_error_or_sideways_scrolling(
    browser, tmp_path, width, scheme
):
    path = tmp_path / "report.html"
    write_report(everything(), path, [ThresholdOutcome("at least 9,000 users/s", "5,628", met=False)])
    page = await browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    complaints, requests = [], []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda request: requests.append(request.url))
    await page.goto(path.as_uri())
    assert await page.evaluate("document.documentElement.scrollWidth") == width
    pictures = await page.locator("svg[role=img]").evaluate_all(
        "charts => charts.map(chart => [chart.querySelector('title').textContent, chart.clientWidth > 200])"
    )
    await page.close()
    assert len(pictures) == 6
    assert all(title and is_wide for title, is_wide in pictures)
    assert complaints == []
    assert requests == [path.as_uri()]
