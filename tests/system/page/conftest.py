"""The page as a person meets it: a whole stack started by the command line, and a real browser."""

import os
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from playwright.async_api import Browser, BrowserContext

from page_stack import Stack
from up_process import run_up
from visit import Visit


@pytest.fixture(scope="session")
def stack(new_lasting_place: Callable[[], Path]) -> Iterator[Stack]:
    """A stack of three instances, on ports and in a folder of its own."""
    environment = os.environ | {"ALLOWED_HOSTS": "tandem.test"}
    with run_up(new_lasting_place() / "page", "--instances", "3", env=environment) as running:
        yield Stack(running.port, running.data_dir)


@pytest.fixture(scope="session")
async def window(browser: Browser) -> AsyncIterator[BrowserContext]:
    """One for all visits, with the page's files in its cache: a visit costs half as much as in a new one.

    Nothing passes from visit to visit: what the page remembers belongs to its tab (sessionStorage).
    """
    window = await browser.new_context(viewport={"width": 1280, "height": 900})
    yield window
    await window.close()


@pytest.fixture
async def visit(window: BrowserContext, stack: Stack) -> AsyncIterator[Visit]:
    """A visit with the page open. The test fails if the page leaves an error in the console."""
    async with visiting(window, stack) as visit:
        yield visit


@pytest.fixture
async def other_visit(window: BrowserContext, stack: Stack) -> AsyncIterator[Visit]:
    """The same for somebody else."""
    async with visiting(window, stack) as visit:
        yield visit


@asynccontextmanager
async def visiting(window: BrowserContext, stack: Stack) -> AsyncIterator[Visit]:
    """A visit in a tab of its own; at its end, what the page complains about is looked at."""
    page = await window.new_page()
    visit = Visit(page, stack.url)
    visit.watch()
    await visit.open()
    yield visit
    await page.close()
    assert visit.complaints == []
