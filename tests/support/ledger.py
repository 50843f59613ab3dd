"""Clients that keep a ledger of what they were told, and the comparison of both databases with it."""

import asyncio
import itertools
import json
from collections.abc import Mapping, Sequence

import httpx
import msgspec

from systems import System
from tandem.random_users import random_users
from waiting import until

# Answers that say "try again"; every other one but 201 is a fault of the server's.
TRY_AGAIN = {502, 503, 504}
PAUSE_SECONDS = 0.05


class Load:
    """Sends random users with keys, each until it is acknowledged, through the clients in turn.

    `async with Load(...) as load` sends in the background; the end of the block waits for all of them.
    Without `count` it goes on until `enough`.
    """

    def __init__(
        self,
        clients: Sequence[httpx.AsyncClient],
        count: int | None = None,
        *,
        seed: str = "faults",
        at_once: int = 20,
    ) -> None:
        self._clients = itertools.cycle(clients)
        self._numbers = itertools.count() if count is None else iter(range(count))
        self._seed = seed
        self._at_once = at_once
        self._is_enough = False
        self._senders = asyncio.TaskGroup()
        #: The id that each key was acknowledged with.
        self.acknowledged: dict[str, int] = {}
        #: What else clients saw, in words.
        self.troubles: list[str] = []

    async def __aenter__(self) -> "Load":
        await self._senders.__aenter__()
        for _ in range(self._at_once):
            self._senders.create_task(self._send())
        return self

    async def __aexit__(self, *error: object) -> None:
        self._is_enough = self._is_enough or error[0] is not None
        await self._senders.__aexit__(*error)

    def enough(self) -> None:
        """Send no more users, once those in flight are acknowledged."""
        self._is_enough = True

    async def until_more(self, users: int) -> None:
        """Wait until this many more users are acknowledged."""
        goal = len(self.acknowledged) + users

        async def is_reached() -> bool:
            return len(self.acknowledged) >= goal

        await until(is_reached, f"{goal} users acknowledged")

    async def _send(self) -> None:
        while not self._is_enough and (number := next(self._numbers, None)) is not None:
            key = f"{self._seed}-{number}"
            (user,) = random_users(key, 0, 1)
            body = msgspec.json.encode(user)
            while (answer := await self._try(key, body)) is None:
                await asyncio.sleep(PAUSE_SECONDS)
            self.acknowledged[key] = answer["id"]

    async def _try(self, key: str, body: bytes) -> dict | None:
        client = next(self._clients)
        try:
            answer = await send(client, body, key=key, seed=self._seed)
        except httpx.TransportError as error:
            self.troubles.append(repr(error))
            return None
        if answer.status_code == 201:
            return answer.json()
        assert answer.status_code in TRY_AGAIN, answer.text
        self.troubles.append(answer.text)
        return None


async def send(
    client: httpx.AsyncClient, body: bytes, *, key: str | None = None, seed: str = "faults"
) -> httpx.Response:
    """Send one command, once."""
    headers = {"Content-Type": "application/json"} | ({"Idempotency-Key": key} if key else {})
    return await client.post(f"/api/v1/user-command?seed={seed}", content=body, headers=headers)


async def check_agreement(system: System, acknowledged: Mapping[str, int]) -> None:
    """Compare the ledger of keys with both databases: nothing lost, nothing doubled, nothing differs."""
    rows = await system.postgres.fetch("select id, idempotency_key from prm_user")
    assert {row["idempotency_key"]: row["id"] for row in rows if row["idempotency_key"]} == acknowledged
    await check_databases(system)


async def check_databases(system: System) -> None:
    """Compare the databases with each other, by id, version and content; one event for each stage."""
    rows = await system.postgres.fetch(
        "select u.id, u.version, u.seed, u.status, e.event_data from prm_user u "
        "left join prm_user_event e on e.user_id = u.id and e.event_type = 'CREATED'"
    )
    stored = {row["id"]: (row["version"], row["seed"], json.loads(row["event_data"])) for row in rows}
    assert len(stored) == len(rows), "a user has two events CREATED"
    found = {document["_id"]: _content(document) async for document in system.users.find()}
    assert found == stored
    assert {row["status"] for row in rows} <= {"SYNCRONIZED"}
    events = await system.postgres.fetch(
        "select user_id, count(*) as times from prm_user_event where event_type = 'SYNCRONIZED' group by 1"
    )
    assert {row["user_id"]: row["times"] for row in events} == dict.fromkeys(stored, 1)
    assert await system.count("select count(*) from prm_user_pending") == 0
    assert await system.count("select count(*) from prm_user_dead_letter") == 0


def _content(document: dict) -> tuple[int, str, dict]:
    """A document's version, seed and profile: without who wrote it, which a takeover changes."""
    document.pop("_id")
    document.pop("appId")
    assert document.pop("currentStatus") == "SYNCRONIZED"
    return document.pop("version"), document.pop("seed"), document
