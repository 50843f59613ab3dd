"""A server that asks for an access token: what the page says, what it sends, and to whom."""

import re

from playwright.async_api import Request, Route, expect

from visit import RANDOMUSER, Visit, user

TOKEN = "secret-of-the-operator"


async def ask_for_token(visit: Visit) -> None:
    """Stand before the server, and let only requests with the token through."""

    async def check(route: Route) -> None:
        if route.request.headers.get("authorization") == f"Bearer {TOKEN}":
            await route.continue_()
        else:
            problem = '{"type":"about:blank","title":"Unauthorized","status":401}'
            await route.fulfill(status=401, body=problem, content_type="application/problem+json")

    await visit.page.route("**/api/v1/**", check)


async def enter_token(visit: Visit) -> None:
    await visit.page.click("#access-open")
    await expect(visit.page.locator("#token")).to_be_focused()
    await visit.fill(token=TOKEN)
    await visit.page.click("text=Use it")


async def test_a_refusal_says_what_to_do_and_the_token_opens_everything(visit: Visit):
    await ask_for_token(visit)
    await visit.page.reload()
    notice = visit.page.locator("#access-notice")
    await expect(notice).to_contain_text("The server asks for an access token (401).")

    await enter_token(visit)
    await expect(notice).to_be_hidden()
    await visit.page.keyboard.press("Escape")
    await visit.until_live()
    await visit.fill(count=10)
    await visit.generate()
    await visit.until("done")
    await visit.page.click("#tab-runs")
    await expect(visit.page.locator("#run-rows")).to_contain_text("10")


async def test_the_token_stays_in_its_tab_and_goes_to_no_other_host(visit: Visit):
    await visit.page.click("text=Access")
    await visit.fill(token=TOKEN)
    await visit.page.click("text=Use it")
    await visit.page.reload()
    sent: list[Request] = []
    visit.page.on("request", lambda request: sent.append(request))  # noqa: PLW0108 - Playwright marks functions
    await visit.answer_as_randomuser({"results": [user(1)]})
    await visit.fill(count=1)
    await visit.choose("randomuser.me")
    await visit.generate()
    await visit.until("done")

    to_others = [request for request in sent if request.url.startswith(RANDOMUSER)]
    to_server = [request for request in sent if re.search("/api/v1/", request.url)]
    assert [request.headers.get("authorization") for request in to_others] == [None]
    assert {request.headers.get("authorization") for request in to_server} == {f"Bearer {TOKEN}"}
    assert await visit.page.evaluate("[localStorage.length, document.cookie]") == [0, ""]
