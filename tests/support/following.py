"""Writers and readers: whether a read fails or shows less than was acknowledged, while something goes on."""

import asyncio
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx

PATIENCE = {"Prefer": "wait=10"}


@dataclass
class Followed:
    """Users, or things of another kind, whose versions were acknowledged, and what readers found wrong."""

    writers: Sequence[httpx.AsyncClient]
    readers: Sequence[httpx.AsyncClient]
    #: The acknowledged version, by id; None: deleted.
    acknowledged: dict[int, int | None] = field(default_factory=dict)
    #: Those that somebody has begun to delete.
    ending: set[int] = field(default_factory=set)
    failed: list[str] = field(default_factory=list)
    stale: list[str] = field(default_factory=list)
    reads: int = 0
    writes: int = 0
    #: Documents that readers were shown, the last of each id.
    shown: dict[int, dict[str, Any]] = field(default_factory=dict)

    kind = "user"

    async def __aenter__(self) -> "Followed":
        self._dice = random.Random(7)
        self._tasks = [asyncio.create_task(self._write(place)) for place in range(4)]
        self._tasks += [asyncio.create_task(self._read()) for _ in range(4)]
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        for outcome in await asyncio.gather(*self._tasks, return_exceptions=True):
            assert isinstance(outcome, asyncio.CancelledError), outcome

    async def more(self, count: int) -> None:
        """Wait until as many more reads and a tenth as many writes are done."""
        reads, writes = self.reads + count, self.writes + count // 10
        while self.reads < reads or self.writes < writes:
            assert not any(task.done() for task in self._tasks)
            await asyncio.sleep(0.02)

    async def _write(self, place: int) -> None:
        """Create, change and delete users of this writer's own."""
        mine: list[int] = []
        while True:
            client = self._dice.choice(self.writers)
            chance = self._dice.random()
            try:
                if not mine or chance < 0.3:
                    user_id = await self._created(client, f"{place}@example.com")
                    mine += [user_id] if user_id else []
                    continue
                user_id = self._dice.choice(mine)
                if chance < 0.9:
                    body = {"phone": str(self.writes)}
                    answer = await client.patch(_command(user_id), json=body, headers=PATIENCE)
                else:
                    mine.remove(user_id)
                    self.ending.add(user_id)
                    answer = await client.delete(_command(user_id), headers=PATIENCE)
            except httpx.TransportError:
                await asyncio.sleep(0.05)  # it was killed
                continue
            self._note(user_id, answer)

    async def _created(self, client: httpx.AsyncClient, email: str) -> int:
        answer = await client.post("/api/v1/user-command?seed=load", json={"email": email}, headers=PATIENCE)
        if answer.status_code != 201:
            return 0
        user_id = int(answer.headers["location"].rsplit("/", 1)[1])
        self._note(user_id, answer)
        return user_id

    def _note(self, user_id: int, answer: httpx.Response) -> None:
        if not answer.is_success:
            return
        status = answer.json()["status"] if answer.content else answer.headers["tandem-status"]
        if status == "SYNCRONIZED":
            self.writes += 1
            is_gone = answer.request.method == "DELETE"
            self.acknowledged[user_id] = None if is_gone else int(answer.headers["etag"].strip('W/"'))

    async def _read(self) -> None:
        """Read any of them, by id and in lists."""
        while True:
            await asyncio.sleep(0)
            if not self.acknowledged:
                await asyncio.sleep(0.02)
                continue
            user_id = self._dice.choice(list(self.acknowledged))
            expected = self.acknowledged[user_id]
            client = self._dice.choice(self.readers)
            by_list = self._dice.random() < 0.3
            if by_list:
                path = f"/api/v1/{self.kind}-query?after={user_id - 1}&limit=1"
            else:
                path = f"/api/v1/{self.kind}-query/{user_id}"
            try:
                answer = await client.get(path)
            except httpx.TransportError as error:
                self.failed.append(f"{path}: {error!r}")
                continue
            self.reads += 1
            self._judge(user_id, expected, answer)

    def _judge(self, user_id: int, expected: int | None, answer: httpx.Response) -> None:
        what = f"{answer.request.url}: {answer.status_code} {answer.text[:80]}, expected {expected}"
        if answer.status_code not in {200, 404}:
            self.failed.append(what)
            return
        found = answer.json() if answer.status_code == 200 else None
        if isinstance(found, list):
            found = next((one for one in found if one["_id"] == user_id), None)
        if found is not None:
            self.shown[user_id] = found
        if expected is None:
            self.stale += [] if found is None else [what]
        elif found is None:
            self.stale += [] if user_id in self.ending else [what]
        elif found["version"] < expected:
            self.stale.append(what)


class FollowedOrders(Followed):
    """The same for orders of this user."""

    kind = "order"
    user_id = 0

    async def _write(self, place: int) -> None:
        """Place orders, and pay them."""
        mine: list[int] = []
        body = {"userId": self.user_id, "lines": [{"article": "pen", "quantity": 1, "cents": 1_000 + place}]}
        while True:
            client = self._dice.choice(self.writers)
            try:
                if not mine or self._dice.random() < 0.5:
                    path = "/api/v1/order-command?seed=load"
                    answer = await client.post(path, json=body, headers=PATIENCE)
                    assert answer.status_code == 201, answer.text
                    mine.append(int(answer.headers["location"].rsplit("/", 1)[1]))
                    self._note(mine[-1], answer)
                    continue
                order_id = mine.pop(self._dice.randrange(len(mine)))
                path = f"/api/v1/order-command/{order_id}/pay"
                answer = await client.post(path, json={"cents": 1_000 + place}, headers=PATIENCE)
            except httpx.TransportError:
                await asyncio.sleep(0.05)  # it was replaced
                continue
            self._note(order_id, answer)


def _command(user_id: int) -> str:
    return f"/api/v1/user-command/{user_id}"
