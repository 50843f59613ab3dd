"""randomuser.me on localhost: a server with its format, its parameters and real answers of it."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from places import RANDOM_USER_ANSWERS


@dataclass
class RandomUserSite:
    """Answers pages of the users that it has, the last page with as many as are left."""

    users: list[Any]
    url: str = ""

    async def answer(self, request: web.Request) -> web.Response:
        """`GET /api/?results=N&page=P&seed=S`."""
        results, page = int(request.query["results"]), int(request.query["page"])
        users = self.users[(page - 1) * results : page * results]
        info = {"seed": request.query["seed"], "results": len(users), "page": page, "version": "1.4"}
        headers = {"Access-Control-Allow-Origin": "*"}
        return web.json_response({"results": users, "info": info}, headers=headers)


def recorded_users() -> list[Any]:
    """All users of the recorded answers."""
    return [user for path in RANDOM_USER_ANSWERS for user in json.loads(path.read_text("utf-8"))["results"]]


@asynccontextmanager
async def random_user_site(users: list[Any]) -> AsyncIterator[RandomUserSite]:
    """The site, at an address of its own."""
    site = RandomUserSite(users)
    application = web.Application()
    application.router.add_get("/api/", site.answer)
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    site.url = f"http://127.0.0.1:{runner.addresses[0][1]}/api/"
    try:
        yield site
    finally:
        await runner.cleanup()
