"""`tandem prove` on several hosts of its own, which lose their power and their cables."""

import asyncio
import json
import os
from pathlib import Path

import pytest

from command_line import run_tandem
from tandem_lab.proof.plan import HOST_FAULTS, OF_CABLES, OF_STANDBYS

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]
MIX = ("--mix", "create=60,update=30,delete=10")
HAS_CABLES = os.geteuid() == 0


@pytest.fixture(autouse=True)
def _haproxy(require_program) -> None:
    require_program("haproxy", "haproxy")


async def prove(place, *options):
    """The exit code and the verdict."""
    code, output = await run_tandem("prove", "--hosts", "--json", "--data-dir", str(place / "none"), *options)
    assert "{\n" in output, output
    verdict = json.loads(output[output.index("{\n") :])
    # It has left nothing where `tandem up` would then find files that are not its own.
    assert not (place / "none").exists()
    await asyncio.to_thread(Path(verdict["ledger"]).unlink)
    return code, verdict


def failures_of(verdict):
    """The counts that must be zero, and are not."""
    counts = verdict["counts"]
    rest = {"acknowledged", "updated", "deleted", "inPostgres", "inMongodb", "synchronized", "examples"}
    return {name: count for name, count in counts.items() if count and name not in rest}


def possible(*, with_standbys):
    """The faults that can be tried here. Whether a cable can be slowed down, a try has to show."""
    return {
        name
        for name, fault in HOST_FAULTS.items()
        if (HAS_CABLES or fault.strike not in OF_CABLES)
        and (with_standbys or fault.strike not in OF_STANDBYS)
    }


def check_proved(code, verdict, faults):
    """Everything possible was tried, passed, and broke nothing; the rest was named."""
    assert failures_of(verdict) == {}
    tried = {fault["fault"] for fault in verdict["faults"]}
    left_out = {reason.split(":")[0] for reason in verdict["leftOut"]}
    assert tried | left_out == set(HOST_FAULTS)
    assert faults - tried <= {"slow-cable"}
    assert [fault for fault in verdict["faults"] if not fault["seen"]] == []
    assert [fault for fault in verdict["faults"] if fault["secondsToRecover"] is None] == []
    assert verdict["counts"]["updated"] > 0
    assert (code, verdict["proven"]) == (0, True)


async def test_a_cell_of_three_hosts_loses_nothing_whatever_is_lost_of_it(new_place):
    # So few that a fault is held for longer than they last: some have to be left to show that commits go on.
    code, verdict = await prove(new_place(), "--users", "1500", *MIX)
    assert (verdict["cells"], verdict["mix"]) == (1, MIX[1])
    check_proved(code, verdict, possible(with_standbys=True))


async def test_three_cells_lose_nothing_and_each_has_its_own_users(new_place):
    code, verdict = await prove(new_place(), "--cells", "3", "--users", "4000", *MIX)
    assert verdict["cells"] == 3
    # Whoever is answered 421 sends again, so a command that comes to another cell would only cost time.
    assert "421" not in verdict["sentAgain"]
    check_proved(code, verdict, possible(with_standbys=False))


@pytest.mark.skipif(not HAS_CABLES, reason="only hosts of root have cables to cut")
async def test_without_a_synchronous_standby_the_proof_fails_and_says_why(new_place):
    options = ("--asynchronous", "--fault", "cut-primary-from-standbys", "--users", "3000")
    code, verdict = await prove(new_place(), *options)
    assert (code, verdict["proven"]) == (1, False)
    assert verdict["counts"]["lost"] > 0
    said = " ".join(verdict["reasons"])
    assert "after cut-primary-from-standbys" in said
    assert "wait for no synchronous standby" in said
