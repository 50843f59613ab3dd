"""`tandem prove` on a whole stack, whose processes it kills and stops."""

import json
import signal
import subprocess
import sys

import psutil
import pytest

from command_line import run_tandem
from tandem_lab.proof.plan import FAULTS
from tandem_lab.strikes import process_state
from waiting import eventually


async def prove(stack, *options):
    """The exit code and the verdict."""
    code, output = await run_tandem("prove", "--data-dir", str(stack.data_dir), "--json", *options)
    return code, json.loads(output[output.index("{\n") :])


async def test_a_killed_instance_loses_and_doubles_nothing(stack):
    before = stack.pids()
    options = ("--users", "600", "--fault", "kill-instance", "--random-seed", "7")
    code, verdict = await prove(stack, *options, "--mix", "create=60,update=30,delete=10")
    assert (code, verdict["proven"], verdict["randomSeed"]) == (0, True, 7)
    assert verdict["counts"]["updated"] > 0
    assert verdict["counts"]["deleted"] > 0
    (fault,) = verdict["faults"]
    (killed,) = fault["targets"]
    assert (fault["fault"], fault["seen"]) == ("kill-instance", True)
    assert 0 < fault["afterUsers"] < 600
    assert fault["secondsToRecover"] is not None
    after = stack.pids()
    assert {part for part in before if before[part] != after[part]} == {killed}


@pytest.mark.slow
async def test_all_faults_together_lose_and_double_nothing(stack):
    code, verdict = await prove(stack, "--users", "3000", "--fault", "all")
    counts = verdict["counts"]
    updated, deleted = counts["updated"], counts["deleted"]
    assert {name: counts[name] for name in counts if counts[name] not in (0, {})} == {
        "acknowledged": 3000,
        "updated": updated,
        "deleted": deleted,
        "inPostgres": 3000,
        "inMongodb": 3000 - deleted,
        "synchronized": 3000,
    }
    assert (updated > 0, deleted > 0, verdict["mix"]) == (True, True, "create=60,update=30,delete=10")
    assert sorted(fault["fault"] for fault in verdict["faults"]) == sorted(FAULTS)
    assert [fault for fault in verdict["faults"] if not fault["seen"]] == []
    assert [fault for fault in verdict["faults"] if fault["secondsToRecover"] is None] == []
    assert (code, verdict["proven"]) == (0, True)


def test_an_interrupted_proof_lets_a_stopped_process_go_on_and_names_its_ledger(stack):
    command = [sys.executable, "-m", "tandem", "prove", "--data-dir", str(stack.data_dir)]
    process = subprocess.Popen(
        [*command, "--users", "2000", "--fault", "pause-instance", "--seed", "interrupted"],
        stderr=subprocess.PIPE,
        text=True,
        # A shell that starts the tests in the background has SIGINT ignored, and that is inherited.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509 - one thread here
    )
    try:
        states = lambda: [process_state(pid) for pid in stack.pids().values()]  # noqa: E731
        eventually(lambda: psutil.STATUS_STOPPED in states(), "an instance stands still")
        process.send_signal(signal.SIGINT)
        said = process.communicate(timeout=60)[1]
    finally:
        process.kill()
    assert process.returncode == 130
    assert "Traceback" not in said
    assert f"{stack.data_dir / 'ledgers' / 'interrupted.jsonl'}" in said.splitlines()[-1]
    assert psutil.STATUS_STOPPED not in states()


async def test_a_run_that_has_users_is_not_proved_again(stack, tmp_path):
    options = ["--data-dir", str(stack.data_dir), "--users", "10", "--seed", "twice"]
    assert (await run_tandem("prove", *options))[0] == 0
    code, said = await run_tandem("prove", *options, "--ledger", str(tmp_path / "another.jsonl"))
    assert code == 1
    assert "--seed" in said.splitlines()[-1]
    code, said = await run_tandem("prove", *options[:-1], "other", "--ledger", str(__file__))
    assert code == 1
    assert "--ledger" in said.splitlines()[-1]
