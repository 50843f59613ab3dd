"""Real servers in the test's own event loop, stopped the way an instance is stopped: with SIGTERM."""

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from typing import Any

import httpx
import pytest

from tandem.web.application import Application
from tandem.web.connection import Limits
from tandem.web.routes import Route
from tandem.web.server import serve

Serving = Callable[..., AbstractAsyncContextManager[httpx.AsyncClient]]


@contextlib.asynccontextmanager
async def _serving(
    routes: Iterable[Route], limits: Limits | None = None, **options: Any
) -> AsyncIterator[httpx.AsyncClient]:
    ready: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    app = Application(routes, **options)
    drain = timedelta(seconds=5)
    server = asyncio.ensure_future(
        serve(app, ("127.0.0.1", 0), drain=drain, limits=limits, on_ready=ready.set_result)
    )
    try:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{await ready}", trust_env=False) as client:
            yield client
    finally:
        os.kill(os.getpid(), signal.SIGTERM)
        await server
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().remove_signal_handler(number)


@pytest.fixture
def serving() -> Serving:
    """`async with serving(routes) as client`: an application on a free port, and an HTTP client for it."""
    return _serving
