"""The load of a proof while a fault lasts."""

import asyncio
from pathlib import Path

from tandem.ids import CELL_STEP, FIRST_ID_OF_CELLS
from tandem_lab.meanwhile import meanwhile
from tandem_lab.proof.commands import UserScript
from tandem_lab.proof.ledger import Ledger
from tandem_lab.proof.load import TRICKLE_PER_SECOND, Load, Silence
from tandem_lab.proof.plan import CREATIONS, Plan
from waiting import until


async def until_left(load: Load, count: int) -> None:
    async def is_left() -> bool:
        return load.left == count

    await until(is_left, f"{count} users left")


async def test_a_fault_that_lasts_leaves_users_to_show_that_the_flow_has_recovered(tmp_path: Path):
    plan = Plan(
        users=9,
        mix=CREATIONS,
        seed="kept",
        random_seed=1,
        faults=(),
        connections=1,
        patience_seconds=5,
        ledger=tmp_path / "ledger",
    )
    load = Load("http://127.0.0.1:1", plan, Ledger(plan.ledger), UserScript("kept", CREATIONS))
    load.reserve(4)  # for the faults that follow
    async with load.running(connections=1):
        async with meanwhile(load.trickle(keep=3)):
            await until_left(load, 7)
            await asyncio.sleep(5 / TRICKLE_PER_SECOND)
            assert load.left == 7
        async with meanwhile(load.trickle()):
            await until_left(load, 4)
            await asyncio.sleep(5 / TRICKLE_PER_SECOND)
            assert load.left == 4
        load.reserve(0)
        async with meanwhile(load.trickle()):
            await until_left(load, 0)


def test_a_silence_is_a_cells_own_and_lasts_until_it_acknowledges_something():
    now = 100.0
    silence = Silence(lambda: now)
    silence.end(FIRST_ID_OF_CELLS + 7)
    now = 104.0
    silence.end(FIRST_ID_OF_CELLS + CELL_STEP + 7)
    now = 105.0
    assert (silence.last(7), silence.longest(7), silence.longest(3)) == (104.0, 4.0, 5.0)
    silence.begin()
    assert (silence.longest(7), silence.longest(3)) == (0.0, 0.0)
