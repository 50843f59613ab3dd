"""A visit to the page: what a person does there and sees, and what the browser noticed meanwhile."""

import json
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode, urlsplit

import httpx
import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import ConsoleMessage, Locator, Page, Request, Response, Route, expect

RANDOMUSER = "https://randomuser.me/api/"
WCAG_22_AA = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
STAGES = ("accepted", "stored", "projected", "synchronized")


def creates_a_user(request: Request) -> bool:
    """Whether a run is made of it; at its end the page asks for other things, too."""
    return request.method == "POST" and "/api/v1/user-command" in request.url


def user(number: int, **other: object) -> dict[str, object]:
    """The least that a source may send for a user, and whatever else is wanted."""
    return {"email": f"user.{number}@example.com", **other}


def _print_refusal(response: Response) -> None:
    if response.status >= 400:
        print(response.status, response.url)


@dataclass
class Visit:
    """One visit, in a browser tab of its own."""

    page: Page
    url: str
    foreign_requests: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def watch(self) -> None:
        self.page.on("request", self._note_request)
        self.page.on("console", self._note_console)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        # Shown if the test fails: without one of its files, the page stays as it came.
        self.page.on("requestfailed", lambda request: print(request.failure, request.url))
        self.page.on("response", _print_refusal)

    async def open(self, **address: str) -> None:
        await self.page.goto(f"{self.url}?{urlencode(address)}" if address else self.url)

    async def fill(self, **fields: object) -> None:
        for name, value in fields.items():
            await self.page.fill(f"#{name}", str(value))

    async def speed(self, *, concurrency: int = 5, rate: int = 0) -> None:
        """Open what is folded away, and fill it in."""
        if not await self.page.is_visible("#rate"):
            await self.page.click("text=Speed")
        await self.fill(concurrency=concurrency, rate=rate)

    async def choose(self, source: str) -> None:
        await self.page.check(f"input[value='{source}']")

    async def generate(self) -> None:
        await self.page.click("#generate")

    async def until(self, phase: str) -> None:
        await self.page.wait_for_selector(f"#run[data-phase={phase}]", timeout=60_000)

    async def text(self, element: str) -> str:
        return (await self.page.inner_text(f"#{element}")).strip()

    async def number(self, element: str) -> int:
        """The number in an element, such as `synchronized-count`."""
        return int((await self.text(element)).replace(",", ""))

    async def stages(self) -> list[int]:
        """The counts of the four stages, in their order."""
        return [await self.number(f"{stage}-count") for stage in STAGES]

    async def until_live(self) -> None:
        """Wait until what the page shows comes from an instance."""
        await self.page.wait_for_selector("#connection[data-state=live]")

    async def until_samples(self, count: int) -> None:
        """Wait until so many samples have come from the server; there is one a second, changed or not."""
        connection = self.page.locator("#connection")
        for _ in range(count):
            last = await connection.get_attribute("title")
            await expect(connection).not_to_have_attribute("title", last or "")

    def instance(self, app_id: str) -> Locator:
        """What the page shows of an instance; of each of its lives, if there were several."""
        return self.page.locator("#instances > li").filter(has_text=app_id)

    async def answer_as_randomuser(self, body: Any, status: int = 200) -> None:
        """Stand in for randomuser.me, which is out of reach here."""

        async def fulfill(route: Route) -> None:
            text = body if isinstance(body, str) else json.dumps(body)
            await route.fulfill(status=status, body=text, headers={"Access-Control-Allow-Origin": "*"})

        await self.page.route(f"{RANDOMUSER}**", fulfill)

    async def redirect_randomuser(self, url: str) -> None:
        """Let a server on this machine answer for randomuser.me."""

        async def fetch_there(route: Route) -> None:
            there = route.request.url.replace(RANDOMUSER, url)
            await route.fulfill(response=await route.fetch(url=there))

        await self.page.route(f"{RANDOMUSER}**", fetch_there)

    async def statistics(self) -> list[dict[str, Any]]:
        """What the server says of the seed that the form holds."""
        seed = await self.page.input_value("#seed")
        async with httpx.AsyncClient() as client:
            answer = await client.get(f"{self.url}api/v1/stats", params={"seed": seed})
        rows: list[dict[str, Any]] = answer.json()
        return rows

    async def tab_to(self, selector: str) -> None:
        """Press the tabulator until this element has the focus; each step must be visible."""
        wanted = self.page.locator(selector).first
        for _ in range(80):
            await self.page.keyboard.press("Tab")
            assert await self.page.evaluate("document.activeElement.matches(':focus-visible')")
            if await wanted.evaluate("element => element === document.activeElement"):
                return
        pytest.fail(f"the tabulator never came to {selector}")

    async def violations(self) -> list[str]:
        """What axe finds, light and dark: the rule, and the elements that break it."""
        options = {"runOnly": WCAG_22_AA, "resultTypes": ["violations"]}
        found = []
        for scheme in ("light", "dark"):
            await self.page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
            results = await Axe().run(self.page, options=options)
            found += [
                f"{violation['id']}: {', '.join(node['html'] for node in violation['nodes'])}"
                for violation in results.response["violations"]
            ]
        return found

    def _note_request(self, request: Request) -> None:
        if urlsplit(request.url).netloc != urlsplit(self.url).netloc:
            self.foreign_requests.append(request.url)

    def _note_console(self, message: ConsoleMessage) -> None:
        # The browser notes each failed request by itself; how the page copes is what the tests look at.
        if message.type in {"error", "warning"} and not message.text.startswith("Failed to load resource"):
            self.complaints.append(message.text)
