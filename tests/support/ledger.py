"""Clients that keep a ledger of what they were told, and the comparison of both databases with it."""

import asyncio
import itertools
import json
from collections import defaultdict
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
    """Compare the databases with each other, user by user, with what the events say.

    A user's versions follow each other without a gap, and folding its changes gives MongoDB's document. What
    MongoDB has acknowledged are some of these versions, each once, and the last one always.
    """
    rows = await system.postgres.fetch("select id, version, seed, status::text as status from prm_user")
    events = defaultdict(list)
    for event in await system.postgres.fetch("select * from prm_user_event order by user_id, version, id"):
        events[event["user_id"]].append(event)
    documents = {document["_id"]: document async for document in system.users.find()}
    assert documents.keys() == {row["id"] for row in rows} == events.keys()
    for row in rows:
        _check_user(row, events[row["id"]], documents[row["id"]])
    assert await system.count("select count(*) from prm_user_pending") == 0
    assert await system.count("select count(*) from prm_user_dead_letter") == 0
    assert await system.count("select coalesce(sum(total - synchronized), 0) from prm_user_count") == 0


def _check_user(row, events, document) -> None:
    changes = [event for event in events if event["event_type"] != "SYNCRONIZED"]
    assert [event["version"] for event in changes] == list(range(1, row["version"] + 1))
    acknowledged = [event["version"] for event in events if event["event_type"] == "SYNCRONIZED"]
    assert acknowledged == sorted(set(acknowledged))
    assert acknowledged[-1] == row["version"]
    assert (document["version"], document["seed"]) == (row["version"], row["seed"])
    last = changes[-1]["event_type"]
    if last in ("DELETED", "ERASED"):
        assert row["status"] == last
        assert document.keys() == {"_id", "seed", "appId", "currentStatus", "version", "deletedAt"}
        return
    assert row["status"] == document["currentStatus"] == "SYNCRONIZED"
    state: dict = {}
    for event in changes:
        state = merged(state, json.loads(event["event_data"]))
    not_profile = ("_id", "seed", "appId", "currentStatus", "version")
    assert (
        without_nulls({name: value for name, value in document.items() if name not in not_profile}) == state
    )


def merged(target: dict, patch: dict) -> dict:
    """RFC 7396, written apart from the product's."""
    result = dict(target)
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        elif isinstance(value, dict):
            before = result.get(name)
            result[name] = merged(before if isinstance(before, dict) else {}, value)
        else:
            result[name] = value
    return result


def without_nulls(value):
    """JSON without members that are null: a street without a number has one."""
    if not isinstance(value, dict):
        return value
    return {name: without_nulls(inner) for name, inner in value.items() if inner is not None}
