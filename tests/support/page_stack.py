"""The whole stack behind the page, as an operator has it: what runs, and what can be done to it."""

import json
import os
import signal
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil
from pymongo import AsyncMongoClient
from pymongo.asynchronous.collection import AsyncCollection

from command_line import run_tandem
from tandem_lab.strikes import stopped
from tandem_stack.ports import http_status
from tandem_stack.processes import children
from waiting import until


@dataclass(frozen=True)
class Stack:
    """A running `tandem up` of three instances."""

    port: int
    data_dir: Path

    @property
    def url(self) -> str:
        """The page's address."""
        return f"http://127.0.0.1:{self.port}/"

    async def instances(self) -> list[dict[str, Any]]:
        """`app_id`, `port` and `pid` of each."""
        found: list[dict[str, Any]] = (await self._status())["instances"]
        return found

    async def kill(self, instance: dict[str, Any]) -> None:
        """End an instance as a crash would."""
        os.kill(instance["pid"], signal.SIGKILL)

    async def until_restarted(self, instance: dict[str, Any]) -> None:
        """Wait until another process is ready in a killed instance's place."""

        async def is_ready() -> bool:
            now = {each["app_id"]: each["pid"] for each in await self.instances()}[instance["app_id"]]
            if now in {None, instance["pid"]}:
                return False
            return await http_status(instance["port"], "/health/ready") == 200

        await until(is_ready, f"{instance['app_id']} is back")

    async def create(self, seed: str, *users: dict[str, Any]) -> list[int]:
        """Post these users, wait until readers find them, and return their ids."""
        async with httpx.AsyncClient(base_url=self.url) as client:
            ids = [
                (await client.post("/api/v1/user-command", params={"seed": seed}, json=user)).json()["id"]
                for user in users
            ]
        await self.until_synchronized(seed)
        return ids

    async def change(self, user_id: int, *patches: dict[str, Any]) -> None:
        """Change a user as somebody else does, and wait until readers find the last version."""
        async with httpx.AsyncClient(base_url=self.url) as client:
            for patch in patches:
                answer = await client.patch(
                    f"/api/v1/user-command/{user_id}", json=patch, headers={"Prefer": "wait=10"}
                )
                assert answer.status_code == 200, answer.text

    async def delete(self, user_id: int, query: str = "") -> None:
        """Delete a user as somebody else does, or erase it."""
        async with httpx.AsyncClient(base_url=self.url) as client:
            answer = await client.delete(
                f"/api/v1/user-command/{user_id}{query}", headers={"Prefer": "wait=10"}
            )
        assert answer.status_code == 204, answer.text

    async def retry_dead_letters(self) -> None:
        """Send what other tests have had set aside on its way, and wait until nothing of it is left."""

        async def is_none_left() -> bool:
            async with httpx.AsyncClient(base_url=self.url) as client:
                await client.post("/api/v1/dead-letters/retry")
                return "dead letter" not in (await client.get("/health/flow")).text

        await until(is_none_left, "no dead letter is left")

    async def until_synchronized(self, seed: str) -> None:
        """Wait until none of this run's users is pending."""

        async def is_synchronized() -> bool:
            async with httpx.AsyncClient() as client:
                answer = await client.get(f"{self.url}api/v1/stats", params={"seed": seed})
            # Where PostgreSQL was away until just now, there may be no answer yet.
            return answer.status_code == 200 and all(row["pending"] == 0 for row in answer.json())

        await until(is_synchronized, f"{seed} is synchronized")

    @asynccontextmanager
    async def without_mongodb(self) -> AsyncIterator[None]:
        """Meanwhile, MongoDB is there but answers nothing."""
        with stopped((await self._status())["mongodb"]["pid"]):
            yield

    @asynccontextmanager
    async def without_postgresql(self) -> AsyncIterator[None]:
        """Meanwhile, PostgreSQL is there but answers nothing, on old connections or new ones."""
        server = (await self._status())["postgres"]["pid"]
        with ExitStack() as ice:
            for pid in (server, *children(server)):
                ice.enter_context(stopped(pid))
            yield

    @asynccontextmanager
    async def without_instances(self) -> AsyncIterator[None]:
        """Meanwhile, all instances are dead; afterwards they are started again."""
        victims = await self.instances()
        with stopped(parent_of(victims[0]["pid"])):  # which would start them again at once
            for victim in victims:
                await self.kill(victim)
            yield
        for victim in victims:
            await self.until_restarted(victim)

    @asynccontextmanager
    async def refusing(self, start_of_email: str) -> AsyncIterator[None]:
        """Meanwhile, let MongoDB refuse every user whose address begins like this."""
        async with self.documents() as users:
            validator = {"email": {"$not": {"$regex": f"^{start_of_email}"}}}
            await users.database.command("collMod", "users", validator=validator)
            try:
                yield
            finally:
                await users.database.command("collMod", "users", validator={})

    @asynccontextmanager
    async def documents(self) -> AsyncIterator[AsyncCollection[dict[str, Any]]]:
        """MongoDB's collection of users, as its owner has it."""
        url = (await self._status())["mongodb"]["url"]
        async with AsyncMongoClient[dict[str, Any]](url) as client:
            yield client.get_default_database()["users"]

    async def _status(self) -> dict[str, Any]:
        _, output = await run_tandem("status", "--data-dir", str(self.data_dir), "--json")
        status: dict[str, Any] = json.loads(output)
        return status


def parent_of(pid: int) -> int:
    """The process that started this one."""
    return psutil.Process(pid).ppid()
