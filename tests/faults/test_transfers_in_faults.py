"""Money that is sent between accounts of two instances, one of which is killed again and again."""

import asyncio
import random
from itertools import count

import httpx
import pytest

from bank import PAGE, accounts
from installed import installed
from page_files import write_files_of
from systems import Servings, open_system
from waiting import until

bank = accounts()
ACCOUNTS, TRANSFERS, KILLS = 10, 300, 3
FIRST_CENTS = 10_000
GOOD_FOR_GOOD = {200, 201, 409}


@pytest.fixture
async def system(databases):
    async with open_system(databases, [bank.ACCOUNTS]) as opened:
        yield opened


@pytest.fixture
async def serve(system, tmp_path):
    folder = tmp_path / "bank"
    write_files_of(PAGE, folder)
    environment = installed(tmp_path / "installed", folder, "accounts", "accounts:ACCOUNTS")
    servings = Servings(system, tmp_path)

    async def start(app_id: str):
        return await servings(app_id, LEASE_SECONDS="2", **environment)

    yield start
    await servings.close()


class Bank:
    """Sends commands to whichever instance answers, each with a key, until it is answered for good."""

    def __init__(self) -> None:
        self.instances = []
        self._keys = count()

    async def send(self, path: str, body: dict) -> httpx.Response:
        key = f"key-{next(self._keys)}"
        while True:
            try:
                answer = await random.choice(self.instances).client.post(
                    f"/api/v1/account-command{path}", json=body, headers={"Idempotency-Key": key}, timeout=5
                )
            except httpx.TransportError:
                await asyncio.sleep(0.05)
                continue
            if answer.status_code in GOOD_FOR_GOOD:
                return answer
            assert answer.status_code >= 500, answer.text
            await asyncio.sleep(0.05)


async def until_all_is_done(system) -> None:
    async def nothing_is_left() -> bool:
        tables = ("tandem_reaction", "prm_account_pending")
        return [await system.count(f"select count(*) from {table}") for table in tables] == [0, 0]

    await until(nothing_is_left, "nothing left to do")


async def test_no_cent_is_lost_and_none_is_made(system, serve):
    """What was sent and acknowledged has arrived or come back, exactly once; nobody else's has."""
    sender = Bank()
    sender.instances = [await serve("one"), await serve("two")]
    opened = [
        await sender.send("?seed=bank", {"owner": f"o{n}", "cents": FIRST_CENTS}) for n in range(ACCOUNTS)
    ]
    ids = [answer.json()["id"] for answer in opened]
    dice = random.Random(7)
    expected = dict.fromkeys(ids, FIRST_CENTS)
    acknowledged = 0

    async def transfer() -> None:
        nonlocal acknowledged
        account, to = dice.choice(ids), dice.choice([*ids, 4711])
        cents = 1 + dice.randrange(50)
        answer = await sender.send(f"/{account}/transfer", {"to": to, "cents": cents})
        assert answer.status_code == 200, answer.text
        acknowledged += 1
        if to in expected:
            expected[account] -= cents
            expected[to] += cents

    async def kill_now_and_then() -> None:
        for number in range(1, KILLS + 1):
            await until(lambda wanted=number: reached(wanted * TRANSFERS // (KILLS + 2)), "transfers")
            victim = sender.instances.pop(0)
            await victim.kill()
            sender.instances.append(await serve(f"another-{number}"))

    async def reached(wanted: int) -> bool:
        return acknowledged >= wanted

    async def some_transfers() -> None:
        for _ in range(TRANSFERS // 10):
            await transfer()

    async with asyncio.TaskGroup() as group:
        group.create_task(kill_now_and_then())
        for _ in range(10):
            group.create_task(some_transfers())
    await until_all_is_done(system)

    rows = await system.postgres.fetch("select account_id, cents from prm_account_head order by 1")
    assert {row["account_id"]: row["cents"] for row in rows} == expected
    documents = system.mongodb.get_default_database()["accounts"].find()
    assert {each["_id"]: each["cents"] async for each in documents} == expected
    sent, received, returned = [
        await system.count("select count(*) from prm_account_event where event_type = $1", event)
        for event in ("MoneySent", "MoneyReceived", "MoneyReturned")
    ]
    assert (acknowledged, sent) == (TRANSFERS, TRANSFERS)
    assert received + returned == sent
    assert await system.count("select count(*) from prm_account_dead_letter") == 0
