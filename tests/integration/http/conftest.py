"""Real servers in the test's own event loop, stopped the way an instance is stopped."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from typing import Any

import httpx
import pytest

from tandem.http.application import Application
from tandem.http.limits import Limits
from tandem.http.routes import Route
from tandem.http.serving import serve

Serving = Callable[..., AbstractAsyncContextManager[httpx.AsyncClient]]


@contextlib.asynccontextmanager
async def _serving(
    routes: Iterable[Route], limits: Limits | None = None, **options: Any
) -> AsyncIterator[httpx.AsyncClient]:
    ready: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    app = Application(routes, **options)
    drain = timedelta(seconds=5)
    stop = asyncio.Event()
    server = asyncio.ensure_future(
        serve(app, ("127.0.0.1", 0), stop=stop.wait, drain=drain, limits=limits, on_ready=ready.set_result)
    )
    try:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{await ready}", trust_env=False) as client:
            yield client
    finally:
        stop.set()
        await server


@pytest.fixture
def serving() -> Serving:
    """`async with serving(routes) as client`: an application on a free port, and an HTTP client for it."""
    return _serving
