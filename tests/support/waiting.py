"""Waiting for what comes by itself: a test orders events, and never asserts how long they take."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

PATIENCE_SECONDS = 60


async def until(condition: Callable[[], Awaitable[bool]], what: str) -> None:
    """Wait until `condition` holds; fail after a minute."""
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not await condition():
                await asyncio.sleep(0.02)
    except TimeoutError:
        pytest.fail(f"not within {PATIENCE_SECONDS} s: {what}")


def eventually(question: Callable[[], Any], what: str) -> Any:
    """The same for tests without an event loop; returns the first answer that is truthy."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not (answer := question()):
        if time.monotonic() > deadline:
            pytest.fail(f"not within {PATIENCE_SECONDS} s: {what}")
        time.sleep(0.05)
    return answer
