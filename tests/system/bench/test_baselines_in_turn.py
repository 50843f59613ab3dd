"""The baselines as measurements beside those of the service, and what is said where one cannot be had."""

import pytest

from tandem_lab.bench.baselines import Baselines, left_out
from tandem_lab.bench.bench import BenchPlan, bench
from tandem_lab.bench.load import Load
from tandem_lab.bench.load_kinds import Kind
from tandem_lab.bench.measure import measure_creates, read_paths
from tandem_lab.errors import BaselineFailed
from tandem_lab.report.analysis import Quantity, RatioId, ratios
from tandem_lab.report.runs import Loads
from tandem_stack.status import read_status


@pytest.fixture
def baselines(probe):
    """Baselines on the databases of the stack."""
    return Baselines(probe)


@pytest.mark.parametrize("name", [Kind.FROZEN_FLOOR, Kind.CURRENT_FLOOR])
async def test_a_floor_is_measured_with_the_cpu_of_the_databases(baselines, name):
    (measured,) = await baselines.floor(name, users=1000, round_=2)
    assert (measured.kind, measured.round, measured.users) == (name, 2, 1000)
    assert measured.per_second["synchronized"] > 0
    assert all(measured.cpu_us_per_user[part] > 0 for part in ("postgres", "mongodb", "program"))


async def test_pgbench_is_measured_with_its_latency(baselines):
    (measured,) = await baselines.one_at_a_time(clients=6, seconds=1, round_=1)
    assert (measured.kind, measured.connections) == (Kind.ONE_AT_A_TIME, 6)
    assert measured.post_ms.p50 <= measured.post_ms.p90 <= measured.post_ms.p99 <= measured.post_ms.max
    assert measured.cpu_us_per_user["postgres"] > 0


async def test_one_find_one_a_request_reads_the_same_users(stack, probe, baselines):
    await measure_creates(probe, stack.url, Load(seconds=0.3, connections=4))
    paths = (await read_paths(probe))["read by e-mail"]
    (measured,) = await baselines.find_one(paths, Load(seconds=0.5, connections=4), round_=1)
    assert measured.kind == Kind.FIND_ONE
    assert measured.statuses == {"200": measured.users}
    assert measured.cpu_us_per_user["program"] > 0


@pytest.mark.slow
async def test_the_plain_way_counts_users_that_are_synchronized(baselines):
    (measured,) = await baselines.plain_way(seconds=0.5, round_=1)
    assert measured.kind == Kind.PLAIN_WAY
    assert measured.statuses == {"201": measured.users}
    assert measured.per_second["synchronized"] > 0
    assert measured.lag_ms.p50 > 0


@pytest.mark.slow
async def test_join_and_document_are_measured_in_every_round(baselines):
    found = await baselines.join(reads=100, rounds=2)
    kinds = {Kind.JOIN, Kind.DOCUMENT, Kind.JOIN_OF_50, Kind.DOCUMENT_OF_50}
    assert {(each.kind, each.round) for each in found} == {(kind, n) for kind in kinds for n in (1, 2)}
    assert all(each.per_second["read"] > 0 for each in found)


@pytest.mark.slow
async def test_a_bench_puts_the_ratios_into_its_report(stack):
    plan = BenchPlan(
        seconds=0.3,
        rounds=1,
        warm_up_seconds=0.3,
        connections=(8, 6),
        exponents=(),
        open_shares=(),
        own_writes=5,
        baselines=(Kind.FROZEN_FLOOR, Kind.ONE_AT_A_TIME, Kind.FIND_ONE),
        floor_users=500,
        clients=(6,),
    )
    report = await bench(read_status(stack.data_dir), stack.url, stack.data_dir, plan, lambda _: None)
    assert report.left_out == []
    assert [ratio.id for ratio in ratios(Loads(report))] == [
        RatioId(Kind.CLOSED, Kind.FROZEN_FLOOR),
        RatioId(Kind.CLOSED, Kind.ONE_AT_A_TIME),
        RatioId(Kind.CLOSED, Kind.ONE_AT_A_TIME, Quantity.ANSWER_P50),
        RatioId(Kind.CLOSED, Kind.ONE_AT_A_TIME, Quantity.ANSWER_P99),
        RatioId(Kind.UPDATE, Kind.CLOSED),
        RatioId(Kind.DELETE, Kind.CLOSED),
        RatioId(Kind.BY_EMAIL, Kind.FIND_ONE),
    ]


def test_a_baseline_whose_packages_are_missing_names_the_extra(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    found = left_out([Kind.FROZEN_FLOOR, Kind.PLAIN_WAY])
    assert list(found) == [Kind.PLAIN_WAY]
    assert "it needs fastapi and sqlalchemy and uvicorn. Install the extra `lab`" in found[Kind.PLAIN_WAY]


def test_nothing_is_left_out_where_nothing_is_asked_for():
    assert left_out([]) == {}


async def test_a_baseline_that_fails_says_which_and_why(baselines):
    with pytest.raises(BaselineFailed, match=r"baselines\.floor failed: .*--users"):
        await baselines.floor(Kind.CURRENT_FLOOR, users="many", round_=1)
