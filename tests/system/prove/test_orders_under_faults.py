"""`tandem prove` of an installed aggregate, on a whole stack."""

import json
import os

import pytest

from command_line import run_tandem
from installed import installed_orders
from tandem_lab.proof.plan import FAULTS
from up_process import run_up


@pytest.fixture(scope="module")
def environment(tmp_path_factory):
    return installed_orders(tmp_path_factory.mktemp("installed"))


@pytest.fixture(scope="module")
def stack(new_place, environment):
    """`tandem up` with three instances, for which orders are installed."""
    options = ("--instances", "3")
    with run_up(new_place() / "stack", *options, env=os.environ | environment) as running:
        yield running


@pytest.mark.slow
async def test_all_faults_together_lose_and_double_no_order(stack, environment):
    options = ("--data-dir", str(stack.data_dir), "--json", "--users", "1500", "--fault", "all")
    code, output = await run_tandem("prove", "--aggregate", "orders", *options, **environment)
    verdict = json.loads(output[output.index("{\n") :])
    counts = verdict["counts"]
    assert {name: counts[name] for name in counts if counts[name] not in (0, {})} == {
        "acknowledged": 1500,
        "updated": counts["updated"],
        "inPostgres": 1500,
        "inMongodb": 1500,
        "synchronized": 1500,
    }
    assert sorted(fault["fault"] for fault in verdict["faults"]) == sorted(FAULTS)
    assert [fault for fault in verdict["faults"] if not fault["seen"]] == []
    assert [fault for fault in verdict["faults"] if fault["secondsToRecover"] is None] == []
    assert (code, verdict["proven"], counts["updated"] > 0) == (0, True, True)


async def test_what_is_proved_is_said_by_its_name_and_no_run_is_proved_twice(stack, environment):
    options = ("--data-dir", str(stack.data_dir), "--users", "20", "--seed", "twice")
    code, said = await run_tandem("prove", "--aggregate", "order", *options, **environment)
    assert (code, "orders created" in said, "20 orders in" in said) == (0, True, True)
    for more in (("--aggregate", "orders"), ()):
        code, said = await run_tandem("prove", *more, *options, "--ledger", "none", **environment)
        assert (code, "--seed" in said.splitlines()[-1]) == (1, True)


async def test_an_aggregate_that_is_not_there_is_named(stack, environment):
    options = ("--data-dir", str(stack.data_dir), "--users", "20")
    code, said = await run_tandem("prove", "--aggregate", "parcels", *options, **environment)
    assert (code, "Installed: orders" in said) == (1, True)
