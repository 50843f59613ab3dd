"""A peer with flaws that are switched on, to see that each is found, and called what it is.

Without flaws it writes each user to both stores before it answers, and refuses an address that it has
(409). FLAWS in its environment has any of these, with spaces:

* `answers-first`: it answers, and writes a second later. A kill loses what was not written.
* `forgets`: it accepts an address again, as most systems do that have no keys.
* by the number at the end of the key: `drops` MongoDB's document of every 100th, writes that of every 50th
  twice (`doubles`), another phone into that of every 200th (`changes`), and that of one only later (`late`).
"""

import asyncio
import os
import sys
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import asyncpg
import msgspec
from aiohttp import web
from pymongo import AsyncMongoClient

from tandem_lab.peers.local import Command, LocalPeer
from tandem_lab.peers.protocol import About

USERS, DROPPED, DOUBLED, CHANGED, LATE = 400, 4, 8, 2, 1
LATE_SECONDS = 3.0
ANSWER_SECONDS = 0.05  # so that a kill finds users that are written and not answered


class LosingPeer(LocalPeer):
    """Its adapter."""

    user_of = "SELECT profile::text FROM person WHERE email = any($1)"

    def __init__(self, *flaws: str, process: str = "instance") -> None:
        self.about = About("losing " + " ".join(flaws), "It has flaws.")
        words = [sys.executable, Path(__file__)]
        self.programs = {process: Command(words, Path(__file__).parent, {"FLAWS": " ".join(flaws)})}


#: For who can only name a peer.
answers_first = LosingPeer("answers-first")


class Service:
    """The program."""

    def __init__(self, flaws: set[str]) -> None:
        self._flaws = flaws
        self._later: set[asyncio.Task[None]] = set()

    async def opened(self, _: web.Application) -> AsyncIterator[None]:
        self._pool = await asyncpg.create_pool(os.environ["POSTGRES_URL"], min_size=1, max_size=5)
        unique = "" if "forgets" in self._flaws else "UNIQUE"
        table = f"CREATE TABLE IF NOT EXISTS person (email text {unique}, profile jsonb)"
        await self._pool.execute(table)
        client: AsyncMongoClient[dict[str, Any]] = AsyncMongoClient(os.environ["MONGODB_URL"])
        self._users = client.get_default_database()["users"]
        await self._users.create_index("email")
        yield
        await self._pool.close()
        await client.close()

    async def create(self, request: web.Request) -> web.Response:
        user = await request.json()
        if not user["email"]:
            return web.Response(status=400, text="An address is missing.")
        if "answers-first" in self._flaws:
            self._do_later(self._write(user), 1.0)
            return web.json_response({}, status=201)
        try:
            await self._write(user)
        except asyncpg.UniqueViolationError:
            return web.json_response({"why": "This address is known."}, status=409)
        await asyncio.sleep(ANSWER_SECONDS)
        return web.json_response({}, status=201)

    async def _write(self, user: dict[str, Any]) -> None:
        profile = msgspec.json.encode(user).decode()
        await self._pool.execute("INSERT INTO person VALUES ($1, $2)", user["email"], profile)
        number = int(user["email"].split("@")[0].rsplit("-", 1)[1])
        if "drops" in self._flaws and number % 100 == 1:
            return
        if "changes" in self._flaws and number % 200 == 3:
            user = user | {"phone": "another"}
        if "late" in self._flaws and number == USERS - 1:
            self._do_later(self._write_document(user), LATE_SECONDS)
            return
        for _ in range(2 if "doubles" in self._flaws and number % 50 == 2 else 1):
            await self._write_document(user)

    async def _write_document(self, user: dict[str, Any]) -> None:
        await self._users.insert_one(user | {"_id": str(uuid.uuid4())})

    def _do_later(self, work: Any, seconds: float) -> None:
        async def later() -> None:
            await asyncio.sleep(seconds)
            await work

        task = asyncio.create_task(later())
        self._later.add(task)
        task.add_done_callback(self._later.discard)


if __name__ == "__main__":
    service = Service(set(os.environ["FLAWS"].split()))
    app = web.Application()
    app.cleanup_ctx.append(service.opened)
    app.router.add_post("/users", service.create)
    web.run_app(app, host=os.environ["HOST"], port=int(os.environ["PORT"]), print=None)
