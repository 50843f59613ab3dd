"""The page as a person meets it: a whole stack started by the command line, and a real browser."""

import asyncio
import os
import shutil
import sys
import tempfile
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Browser
from stack import Stack
from visit import Visit

from tandem_stack.ports import free_port, free_ports_in_a_row

TANDEM = (sys.executable, "-m", "tandem")


@pytest.fixture(scope="session")
async def stack() -> AsyncIterator[Stack]:
    """A stack of three instances, on ports and in a folder of its own."""
    folder = Path(tempfile.mkdtemp(prefix="tandem-page-"))
    stack = Stack(free_port(), folder)
    options = (
        "--data-dir",
        str(folder),
        "--port",
        str(stack.port),
        "--instance-port",
        str(free_ports_in_a_row(3)),
    )
    environment = os.environ | {"ALLOWED_HOSTS": "tandem.test"}
    up = await asyncio.create_subprocess_exec(*TANDEM, "up", *options, stdout=PIPE, env=environment)
    try:
        await until_it_says_where(up, stack.url)
        yield stack
    finally:
        down = await asyncio.create_subprocess_exec(
            *TANDEM, "down", "--data-dir", str(folder), stdout=DEVNULL
        )
        assert await down.wait() == 0
        await up.communicate()
        shutil.rmtree(folder)


async def until_it_says_where(up: Process, url: str) -> None:
    """Read what `tandem up` prints until it names its address, which it does when all is ready."""
    assert up.stdout
    async for line in up.stdout:
        if url.encode() in line:
            return
    pytest.fail(f"`tandem up` ended with code {await up.wait()} before it was ready")


@pytest.fixture
async def visit(browser: Browser, stack: Stack) -> AsyncIterator[Visit]:
    """A visit with the page open. The test fails if the page leaves an error in the console."""
    page = await browser.new_page(viewport={"width": 1280, "height": 900})
    visit = Visit(page, stack.url)
    visit.watch()
    await visit.open()
    yield visit
    await page.close()
    assert visit.complaints == []
