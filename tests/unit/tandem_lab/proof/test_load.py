"""The load of a proof while a fault lasts."""

import asyncio
from pathlib import Path

from tandem_lab.meanwhile import meanwhile
from tandem_lab.proof.commands import UserScript
from tandem_lab.proof.ledger import Ledger
from tandem_lab.proof.load import TRICKLE_PER_SECOND, Load
from tandem_lab.proof.plan import CREATIONS, Plan
from waiting import until


async def until_left(load: Load, count: int) -> None:
    async def is_left() -> bool:
        return load.left == count

    await until(is_left, f"{count} users left")


async def send_all(load: Load) -> None:
    while await load._next() is not None:
        pass


async def test_a_fault_that_lasts_leaves_users_to_show_that_the_flow_has_recovered(tmp_path: Path):
    plan = Plan(
        users=5,
        mix=CREATIONS,
        seed="kept",
        random_seed=1,
        faults=(),
        connections=1,
        patience_seconds=5,
        ledger=tmp_path / "ledger",
    )
    load = Load("", plan, Ledger(plan.ledger), UserScript("kept", CREATIONS))
    async with meanwhile(send_all(load)):
        async with meanwhile(load.trickle(keep=3)):
            await until_left(load, 3)
            await asyncio.sleep(5 / TRICKLE_PER_SECOND)
            assert load.left == 3
        async with meanwhile(load.trickle()):
            await until_left(load, 0)
