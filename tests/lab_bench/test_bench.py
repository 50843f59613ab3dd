"""The measurements of `tandem bench`, on a small stack: what is counted is what has happened."""

import asyncio
import json

import msgspec
import pytest

from tandem.lab.bench.bench import QUICK, BenchPlan, bench, saturation
from tandem.lab.bench.generator import Plan
from tandem.lab.bench.measure import Load, generate, measure_creates
from tandem.lab.bench.probe import Probe
from tandem.lab.bench.reads import measure_reads, reads_of
from tandem.lab.bench.results import Measurement, Report
from tandem.local_stack.status import read_status
from up_process import Up, run_tandem


@pytest.fixture(scope="module")
def stack(new_place):
    """`tandem up` with two instances, for the whole module."""
    running = Up(new_place() / "stack", "--instances", "2")
    try:
        running.until_it_says("Tandem is running")
        yield running
    finally:
        running.end()


@pytest.fixture
async def probe(stack):
    """A probe of that stack."""
    opened = await Probe.open(read_status(stack.data_dir))
    yield opened
    await opened.close()


async def test_a_closed_load_counts_what_both_databases_hold(stack, probe):
    measured = await measure_creates(probe, stack.url, Load(seconds=1, connections=8))
    assert measured.kind == "closed"
    assert measured.statuses == {"201": measured.users}
    assert sum(measured.users_of_instances.values()) == measured.users
    assert set(measured.users_of_instances) == {"instance-1", "instance-2"}
    assert measured.post_histogram.total == measured.users
    last = measured.series[-1]
    assert last.stored == last.projected == last.synchronized == measured.users
    assert all(cpu > 0 for cpu in measured.cpu_us_per_user.values())
    assert measured.wal_bytes_per_user > 500
    assert measured.journal_bytes_per_user > 100


async def test_an_open_load_sends_what_is_due_and_no_more(stack, probe):
    measured = await measure_creates(probe, stack.url, Load(seconds=2, connections=8, rate=50.0))
    assert measured.kind == "open"
    assert measured.users == 100
    assert measured.statuses == {"201": 100}


async def test_a_stall_cannot_hide_from_an_open_load():
    """A server that answers nothing for a second: requests due meanwhile have waited since they were due."""
    stalled = asyncio.Event()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.readuntil(b"\r\n\r\n"):
            await stalled.wait()
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    asyncio.get_running_loop().call_later(2.0, stalled.set)
    plan = Plan("127.0.0.1", port, seconds=1, connections=2, requests=100, rate=100.0, paths=("/",))
    outcome = await generate(plan)
    server.close()
    assert outcome.answered == 100
    # Two connections were stuck at their first requests; sent late, the others count from when they were due.
    assert min(outcome.latencies_ms) > 500


async def test_a_failed_answer_is_counted_as_such(stack):
    port = int(stack.url.rpartition(":")[2])
    plan = Plan("127.0.0.1", port, seconds=1, connections=2, requests=10, paths=("/health/live", "/nowhere"))
    outcome = await generate(plan)
    assert (outcome.answered, outcome.failed) == (5, 5)
    assert outcome.statuses == {"200": 5, "404": 5}


async def test_reads_find_users_that_are_there(stack, probe):
    await measure_creates(probe, stack.url, Load(seconds=1, connections=4))
    for reads in await reads_of(probe):
        measured = await measure_reads(probe, stack.url, reads, Load(seconds=1, connections=4))
        assert measured.statuses == {"200": measured.users}, reads.kind
        assert measured.users > 0


async def test_a_report_is_the_same_after_its_json(stack):
    plan = BenchPlan(
        seconds=1,
        rounds=2,
        warm_up_seconds=1,
        connections=(4, 2),
        open_shares=(0.1,),
        read_connections=2,
        stale_users=5,
    )
    said: list[str] = []
    report = await bench(read_status(stack.data_dir), stack.url, stack.data_dir, plan, said.append)
    kinds = [measurement.kind for measurement in report.measurements]
    assert kinds == ["closed"] * 4 + ["open", "read by id", "read by e-mail", "list"]
    assert report.staleness.users == 5
    assert report.environment["postgres"]["fsync"] == "on"
    assert len(said) > len(report.measurements)
    assert msgspec.json.decode(msgspec.json.encode(report), type=Report) == report


def test_saturation_is_the_median_of_the_largest_closed_load():
    measurements = [
        Measurement(
            kind=kind, round=1, users=1, seconds=1, connections=connections, per_second={"synchronized": rate}
        )
        for kind, connections, rate in [
            ("closed", 200, 900.0),
            ("closed", 200, 1000.0),
            ("closed", 200, 5000.0),
            ("closed", 6, 9000.0),
            ("open", 200, 9000.0),
        ]
    ]
    assert saturation(measurements) == 1000.0


def test_the_command_says_what_is_missing(tmp_path):
    finished = run_tandem("bench", "--data-dir", tmp_path)
    assert finished.returncode == 1
    assert "tandem up" in finished.stderr
    assert "Traceback" not in finished.stderr


@pytest.mark.slow
def test_the_quick_bench_prints_a_table_and_keeps_its_raw_data(stack, tmp_path):
    file = tmp_path / "quick.json"
    finished = run_tandem("bench", "--quick", "--data-dir", stack.data_dir, "--seconds", "1", "--json", file)
    assert finished.returncode == 0, finished.stderr
    assert "closed (200)" in finished.stdout
    assert len(json.loads(file.read_text())["measurements"]) == 2 * QUICK.rounds + len(QUICK.open_shares) + 3
    assert file.with_suffix(".html").read_text().startswith("<!DOCTYPE html>")
