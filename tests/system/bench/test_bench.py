"""The measurements of `tandem bench`, on a small stack: what is counted is what has happened."""

import asyncio
import time
from contextlib import suppress

import asyncpg
import msgspec
import pytest

from command_line import finished
from tandem_lab.bench import fill
from tandem_lab.bench.bench import BenchPlan, bench
from tandem_lab.bench.generator import Plan
from tandem_lab.bench.load import Load, generate
from tandem_lab.bench.load_kinds import CHANGES, Kind
from tandem_lab.bench.measure import (
    Change,
    measure_beside,
    measure_changes,
    measure_creates,
    measure_reads,
    read_paths,
)
from tandem_lab.bench.own_writes import measure_own_writes
from tandem_lab.bench.results import Measurement, Report, highest_rate
from tandem_lab.bench.steps import Progress
from tandem_lab.errors import GeneratorFailed
from tandem_stack.ports import free_port
from tandem_stack.status import read_status


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
    # Some 1,300 bytes of JSON: PostgreSQL has them as rows and as an event, MongoDB compresses them.
    assert 1_000 < measured.stored_bytes_per_user["postgres"] < 10_000
    assert 100 < measured.stored_bytes_per_user["mongodb"] < 3_000


async def test_an_open_load_sends_what_is_due_and_no_more(stack, probe):
    measured = await measure_creates(probe, stack.url, Load(seconds=2, connections=8, rate=50.0))
    assert measured.kind == "open"
    assert measured.users == 100
    assert measured.statuses == {"201": 100}


async def test_updates_and_deletions_count_what_became_of_the_users_of_a_run(stack, probe):
    load, seed = Load(seconds=1, connections=8), f"changed-{time.time_ns()}"
    created = await measure_creates(probe, stack.url, load, seed=seed)
    longer = Load(seconds=20, connections=8)
    updated, deleted = [
        await measure_changes(probe, stack.url, longer, Change(kind, seed), round_=2)
        for kind in (Kind.UPDATE, Kind.DELETE)
    ]
    assert updated.statuses == {"200": created.users}
    assert deleted.statuses == {"204": created.users}
    for measured in (updated, deleted):
        assert (measured.users, measured.round) == (created.users, 2)
        assert all(cpu > 0 for cpu in measured.cpu_us_per_user.values())
        last = measured.series[-1]
        assert last.stored == last.projected == last.synchronized == created.users
        assert measured.lag_ms.max > 0
    connection = await asyncpg.connect(probe.running.postgres.url)
    counts = await connection.fetchrow("select updated, deleted from lab_change where seed = $1", seed)
    await connection.close()
    assert tuple(counts) == (created.users, created.users)


async def test_contended_updates_are_tried_again_until_each_is_accepted(stack, probe):
    seed = f"contended-{time.time_ns()}"
    await measure_creates(probe, stack.url, Load(seconds=1, connections=8), seed=seed)
    load = Load(seconds=1, connections=8)
    free, bound = [
        await measure_changes(probe, stack.url, load, Change(kind, seed, exponent=2.0), round_=1)
        for kind in (Kind.CONTENDED, Kind.CONTENDED_IF_MATCH)
    ]
    assert free.statuses == {"200": free.users}
    assert bound.statuses["200"] == bound.users
    assert bound.statuses["412"] > 0
    assert set(bound.statuses) == {"200", "412"}
    assert bound.post_histogram.total == bound.users
    connection = await asyncpg.connect(probe.running.postgres.url)
    updated = await connection.fetchval("select updated from lab_change where seed = $1", seed)
    await connection.close()
    assert updated == free.users + bound.users


async def test_reads_of_ones_own_writes_are_never_outdated(stack):
    found = await measure_own_writes(stack.url, 30)
    assert [(each.after, each.commands, each.outdated) for each in found] == [
        ("create", 30, 0),
        ("update", 30, 0),
    ]
    assert all(each.wait_ms.max > 0 for each in found)


async def test_a_stall_cannot_hide_from_an_open_load():
    """A server that answers nothing at first: requests due meanwhile have waited since they were due."""
    stalled = asyncio.Event()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError):
            while await reader.readuntil(b"\r\n\r\n"):
                asyncio.get_running_loop().call_later(1.6, stalled.set)
                await stalled.wait()
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    plan = Plan("127.0.0.1", port, seconds=1, connections=2, requests=100, rate=100.0, paths=("/",))
    outcome = await generate(plan)
    server.close()
    assert outcome.answered == 100
    # Two connections were stuck at their first requests; sent late, the others count from when they were due.
    # The last was due after 1 s, and nothing was answered before 1.6 s: a slow machine only adds to it.
    assert min(outcome.latencies_ms) > 500


async def test_a_failed_answer_is_counted_as_such(stack):
    port = int(stack.url.rpartition(":")[2])
    plan = Plan("127.0.0.1", port, seconds=1, connections=2, requests=10, paths=("/health/live", "/nowhere"))
    outcome = await generate(plan)
    assert (outcome.answered, outcome.failed) == (5, 5)
    assert outcome.statuses == {"200": 5, "404": 5}


async def test_reads_find_users_that_are_there(stack, probe):
    await measure_creates(probe, stack.url, Load(seconds=0.3, connections=4))
    for kind, paths in (await read_paths(probe)).items():
        measured = await measure_reads(probe, stack.url, paths, Load(seconds=0.3, connections=4), kind)
        assert measured.statuses == {"200": measured.users}, kind
        assert measured.users > 0


async def test_reads_and_writes_go_on_side_by_side(stack, probe):
    await measure_creates(probe, stack.url, Load(seconds=0.3, connections=4))
    paths = (await read_paths(probe))["read by e-mail"]
    load = Load(seconds=1, connections=4, rate=100.0)
    read, written = await measure_beside(probe, stack.url, paths, load, load)
    assert (read.kind, read.statuses) == (Kind.BESIDE_WRITES, {"200": 100})
    assert (written.kind, written.statuses) == (Kind.BESIDE_READS, {"201": 100})
    assert read.cpu_us_per_user == written.cpu_us_per_user == {}


@pytest.mark.slow
async def test_a_report_is_the_same_after_its_json(stack):
    plan = BenchPlan(
        seconds=0.3,
        rounds=2,
        warm_up_seconds=0.3,
        connections=(4, 2),
        changed=1,
        exponents=(1.0,),
        open_shares=(0.1, 0.5),
        rates=(100.0,),
        read_connections=2,
        own_writes=5,
        baselines=(),
    )
    said: list[Progress] = []
    report = await bench(read_status(stack.data_dir), stack.url, stack.data_dir, plan, said.append)
    kinds = [measurement.kind for measurement in report.measurements]
    reads = ["read by id", "list", "read by e-mail"] * 2
    beside = ["read by e-mail beside writes", "create beside reads"]
    closed = ["closed", "update", "delete", "closed"] * 2
    contended = ["contended update", "contended update, If-Match"] * 2
    assert kinds == closed + contended + ["open"] * 4 + reads + ["read by e-mail"] + beside
    assert report.measurements[15].statuses == {"201": 30}
    # Half of the saturation is measured in every round.
    assert [each.round for each in report.measurements[12:16]] == [1, 1, 2, 1]
    assert [each.commands for each in report.own_writes] == [5, 5]
    assert report.environment["postgres"]["fsync"] == "on"
    assert msgspec.json.decode(msgspec.json.encode(report), type=Report) == report
    assert [progress.number for progress in said] == list(range(1, said[0].of + 1))
    shares = [progress.share_done for progress in said]
    assert shares == sorted(shares)


async def test_the_tables_are_filled_in_chunks_with_users_that_are_synchronized(stack, probe, monkeypatch):
    monkeypatch.setattr(fill, "USERS_A_CHUNK", 300)
    before = await probe.users()
    await fill.fill(probe, stack.url, 700)
    assert await probe.users() == before + 700
    connection = await asyncpg.connect(probe.running.postgres.url)
    synchronized = await connection.fetchval("select count(*) from prm_user where status <> 'CREATED'")
    await connection.close()
    assert synchronized == before + 700


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
    assert highest_rate(measurements, Kind.CLOSED) == 1000.0


def test_a_threshold_that_names_nothing_lists_what_there_is(tmp_path):
    ended = finished("bench", "--data-dir", tmp_path, "--require", "speed>=1")
    assert ended.returncode == 2
    assert "Nothing is called 'speed'" in ended.stderr
    assert "ratio-to-frozen-floor" in ended.stderr


@pytest.mark.parametrize(
    ("option", "value", "sentence"),
    [
        ("--require", "users-per-second=5", "is no threshold"),
        ("--connections", "200,many", "is no list of numbers"),
        ("--connections", "0", "from 1 to 2000"),
        ("--rate", "0", "from 1 to 100000"),
    ],
)
def test_an_option_that_cannot_be_used_says_what_would_be_right(tmp_path, option, value, sentence):
    ended = finished("bench", "--data-dir", tmp_path, option, value)
    assert ended.returncode == 2
    assert sentence in " ".join(ended.stderr.replace("│", " ").split())


def test_a_running_stack_with_other_instances_is_not_measured_by_mistake(stack):
    ended = finished("bench", "--data-dir", stack.data_dir, "--instances", "3")
    assert ended.returncode == 1
    assert "has 2 instances" in ended.stderr


async def test_a_load_that_nobody_answers_says_so():
    plan = Plan("127.0.0.1", free_port(), seconds=1, connections=1, requests=1, paths=("/",))
    with pytest.raises(GeneratorFailed, match="could not send"):
        await generate(plan)


@pytest.mark.slow
def test_without_a_stack_one_is_started_and_removed(new_place):
    place = new_place()
    options = (
        "--seconds",
        "1",
        "--rounds",
        "1",
        "--connections",
        "4",
        "--no-baselines",
        "--no-changes",
        "--quick",
    )
    demands = ("--require", "users-per-second>=1", "--require", "lag-p99-at-half<0.0001")
    file = place / "report.json"
    ended = finished("bench", "--data-dir", place / "none", "--json", file, *options, *demands)
    assert ended.returncode == 1, ended.stderr
    assert "starting one for this measurement" in ended.stderr
    assert "closed (4)" in ended.stdout
    assert [line.split()[0] for line in ended.stdout.splitlines() if "measured" in line] == [
        "met",
        "missed",
    ]
    report = msgspec.json.decode(file.read_bytes(), type=Report)
    assert report.environment["instances"] == 1
    assert not CHANGES & {measurement.kind for measurement in report.measurements}
    # One instance is asked directly.
    assert not any(measurement.through_nginx for measurement in report.measurements)
    assert file.with_suffix(".html").read_text().startswith("<!DOCTYPE html>")
    assert {path.name for path in place.iterdir()} == {"report.json", "report.html"}
