"""`tandem bench` of an installed aggregate, in turn with users whose events are as large."""

import os

import asyncpg
import msgspec
import pytest

from command_line import run_tandem
from installed import installed_orders
from tandem_lab.bench.load_kinds import Kind
from tandem_lab.bench.results import Report
from tandem_stack.status import read_status
from up_process import run_up

QUICK = ("--quick", "--seconds", "1", "--rounds", "2", "--connections", "8,2")


@pytest.fixture(scope="module")
def environment(tmp_path_factory):
    return installed_orders(tmp_path_factory.mktemp("installed"))


@pytest.mark.slow
async def test_orders_are_created_in_turn_with_users_of_their_size(new_place, environment, tmp_path):
    with run_up(new_place() / "stack", "--instances", "1", env=os.environ | environment) as stack:
        demand = ("--require", "ratio-aggregate-to-users<0.0001")
        place = ("--data-dir", str(stack.data_dir), "--json", str(tmp_path / "report.json"))
        code, said = await run_tandem(
            "bench", "--aggregate", "orders", *QUICK, *place, *demand, **environment
        )
        connection = await asyncpg.connect(read_status(stack.data_dir).postgres.url)
        stored = dict(await connection.fetch("select seed, sum(total) from lab_order_run group by seed"))
        left = await connection.fetchval("select count(*) from lab_order_reaction")
        await connection.close()
    assert (code, "Round by round" in said, "The events of orders had" in said) == (1, True, True), said
    report = msgspec.json.decode((tmp_path / "report.json").read_bytes(), type=Report)
    both = [Kind.AGGREGATE, Kind.USERS_ALIKE]
    assert [(each.kind, each.round) for each in report.measurements] == [
        *((kind, 1) for kind in both),
        *((kind, 2) for kind in reversed(both)),
    ]
    for measured in report.measurements:
        assert measured.statuses == {"201": measured.users}
        assert measured.users_of_instances == {"instance-1": measured.users}
        last = measured.series[-1]
        assert last.stored == last.projected == last.synchronized == measured.users > 0
        assert min(measured.cpu_us_per_user[part] for part in ("instances", "postgres", "mongodb")) > 0
        assert (measured.connections, measured.lag_ms.max > 0) == (8, True)
    orders = [each.users for each in report.measurements if each.kind == Kind.AGGREGATE]
    assert sorted(count for seed, count in stored.items() if not seed.endswith("-0")) == sorted(orders)
    assert left == 0


async def test_a_stack_that_has_no_orders_is_not_measured(stack, environment):
    data_dir = ("--data-dir", str(stack.data_dir))
    code, said = await run_tandem("bench", "--aggregate", "orders", *QUICK, *data_dir, **environment)
    assert (code, "The stack has no orders" in said) == (1, True)
    code, said = await run_tandem("bench", "--aggregate", "orders", *QUICK, *data_dir)
    assert (code, "There is no aggregate 'orders'" in said) == (1, True)
