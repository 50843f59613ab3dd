"""`tandem.asgi:app` under a second server: uvicorn starts it, is answered for, and ends it."""

import asyncio
import contextlib
import os
import sys
from asyncio.subprocess import PIPE

import httpx

from tandem_stack.ports import free_port
from waiting import until

USER = {"email": "jane@example.com"}


@contextlib.asynccontextmanager
async def under_uvicorn(**environment: str):
    """The process, and a client for it."""
    port = free_port()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "uvicorn", "tandem.asgi:app", "--port", str(port), "--lifespan", "on"),
        *("--http", "httptools", "--timeout-graceful-shutdown", "5"),
        env=os.environ | environment,
        stdout=PIPE,
        stderr=PIPE,
    )
    try:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=30) as client:
            yield process, client
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def test_it_starts_serves_and_ends_in_order(system):
    urls = {
        "POSTGRES_URL": system.urls.postgres_service_url,
        "MONGODB_URL": system.urls.mongodb_service_url,
        "APP_ID": "asgi",
    }
    async with under_uvicorn(**urls) as (process, client):

        async def is_ready():
            assert process.returncode is None
            with contextlib.suppress(httpx.TransportError):
                return (await client.get("/health/ready")).status_code == 200

        await until(is_ready, "it is ready")
        created = await client.post("/api/v1/user-command?seed=s", json=USER)
        assert created.status_code == 201
        assert created.json()["appId"] == "asgi"
        await system.until_synchronized(1)
        assert (await client.get(f"/api/v1/user-query/{created.json()['id']}")).status_code == 200
        refused = await client.post("/api/v1/user-command?seed=s", content=b"a" * 70_000)
        assert refused.headers["content-type"] == "application/problem+json"
        json = {"Content-Type": "application/json"}
        too_long = await client.post("/api/v1/user-command?seed=s", content=b" " * 70_000, headers=json)
        assert too_long.status_code == 413
        users = await client.get("/api/v1/random-users?results=1000&seed=s")
        assert len(users.json()["results"]) == 1000
        assert (await client.head("/api")).content == b""
        async with client.stream("GET", "/api/v1/live?seed=s") as events:
            async for line in events.aiter_lines():
                if line.startswith("data:"):
                    break
        process.terminate()
        _, errors = await process.communicate()
        assert b"Traceback" not in errors
        assert await system.count("select count(*) from prm_user where status = 'SYNCRONIZED'") == 1
        # It gave its lease back: it ended in order.
        held = "select count(*) from tandem_instance where app_id = 'asgi' and lease_until > now()"
        assert await system.count(held) == 0


async def test_what_keeps_it_from_starting_is_said():
    async with under_uvicorn(POSTGRES_URL="", MONGODB_URL="") as (process, _):
        _, errors = await process.communicate()
        assert process.returncode == 3
        assert b"POSTGRES_URL is not set" in errors
