"""Swagger UI, in a real browser whose every other request is refused."""

import re
from pathlib import Path

import pytest

from tandem.http import swagger
from tandem.http.openapi import openapi_route
from tandem.http.swagger import swagger_routes
from web_example import ROUTES

WORDS = {"name": "ada", "seed": "abc", "postcode": 7}

FILES = Path(swagger.__file__).with_name("swagger_ui")


@pytest.fixture
async def client(serving):
    document = openapi_route(ROUTES, title="Things", version="1", words=WORDS)
    async with serving([*ROUTES, document, *swagger_routes()]) as client:
        yield client


async def test_the_interface_can_be_read_and_tried_with_the_network_cut(client, browser):
    own = str(client.base_url)
    foreign, complaints = [], []
    page = await browser.new_page()
    page.on("request", lambda request: request.url.startswith((own, "data:")) or foreign.append(request.url))
    page.on("console", lambda message: message.type == "error" and complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    await page.goto(f"{own}/api")
    await page.get_by_text("Make a thing").click()
    await page.get_by_role("button", name="Execute").wait_for()
    await page.get_by_role("button", name="Execute").click()
    await page.locator(".live-responses-table").get_by_text("Location").wait_for()
    assert '"postcode": 7' in await page.locator(".live-responses-table").inner_text()
    assert await page.locator(".models.is-open").count() == 0
    await page.emulate_media(color_scheme="dark")
    await page.locator("html.dark-mode").wait_for()
    assert await page.get_by_text("page", exact=False).first.get_attribute("href") == "/"
    await page.close()
    assert foreign == []
    assert complaints == []


def test_our_own_files_name_no_other_host():
    for name in ("index.html", "start.js"):
        assert not re.search(r"https?:|//[a-z]", re.sub(r"(?m)^//.*$", "", (FILES / name).read_text()))


def test_the_files_say_their_version_and_license():
    assert re.match(r"swagger-ui-dist 5\.\d+\.\d+, Apache-2\.0", (FILES / "VERSION").read_text())
    assert "Apache License" in (FILES / "LICENSE").read_text()
