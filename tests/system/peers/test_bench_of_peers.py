"""`tandem bench --peers`: what is said of systems that work, of those that forget, and of those that fail."""

import itertools
import os
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec
import pytest

from answering import Answering
from command_line import TANDEM, finished
from tandem_lab.bench import peers
from tandem_lab.bench.load import Load
from tandem_lab.bench.own_stack import OwnStack
from tandem_lab.bench.peers import PeersPlan, bench_peers
from tandem_lab.bench.results import Report
from tandem_lab.errors import PeerFailed
from tandem_lab.peers.protocol import About, Databases, Running
from tandem_stack.status import ServerStatus, Status

CREATED = b"HTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\n{}"
BROKEN = """
from contextlib import asynccontextmanager
from tandem_lab.errors import PeerFailed
from tandem_lab.peers.protocol import About

class peer:
    about = About("broken", "Does not start.")

    @asynccontextmanager
    async def running(databases):
        raise PeerFailed("broken: its program is missing.")
        yield
"""


class Forgetful:
    """Acknowledges every user, and forgets all after the first 20."""

    about = About("forgetful", "Forgets.", made_with=("msgspec",))

    def __init__(self) -> None:
        self.starts = 0

    @asynccontextmanager
    async def running(self, databases: Databases) -> AsyncIterator[Running]:
        del databases
        self.starts += 1
        async with Answering(CREATED, then_close=False).serving() as self._server:
            yield Running(f"http://127.0.0.1:{self._server.port}", {"instance": self.pid})

    def pid(self) -> int | None:
        return os.getpid()

    async def done(self) -> int:
        return min(self._server.requests, 20)


class Steady(Forgetful):
    """Forgets nobody; but its process is another one whenever somebody looks."""

    about = About("steady", "Crashes.")
    _pids = itertools.count(2**22)  # beyond what Linux gives to any process

    def pid(self) -> int | None:
        return next(self._pids)

    async def done(self) -> int:
        return self._server.requests


class Failing(Forgetful):
    """Starts once, and then no more."""

    about = About("failing", "Fails.")

    @asynccontextmanager
    async def running(self, databases: Databases) -> AsyncIterator[Running]:
        if self.starts:
            raise PeerFailed("failing: no longer starts")
        async with super().running(databases) as running:
            yield running

    async def done(self) -> int:
        return self._server.requests


@pytest.fixture
def stack(servers, databases, tmp_path, monkeypatch) -> OwnStack:
    """The servers of the tests as a stack; and short waits."""
    monkeypatch.setattr(peers, "WARM_UP", Load(0.2, 2))
    monkeypatch.setattr(peers, "ARRIVAL_SECONDS", 0.3)
    postgres = ServerStatus(databases.postgres_owner_url, servers.postgres_server.process.pid)
    mongodb = ServerStatus(databases.mongodb_owner_url, servers.mongodb_server.process.pid)
    return OwnStack(Status(postgres=postgres, mongodb=mongodb), tmp_path)


async def bench_some(stack: OwnStack, some: dict, rounds: int = 1) -> tuple[Report, list[str]]:
    """Bench these. The generator finds all of them as Tandem, whose commands they take."""
    said: list[str] = []
    found = await bench_peers(stack, some, PeersPlan(0.3, rounds), lambda step: said.append(step.what))
    return found, said


@pytest.mark.slow
async def test_who_forgets_is_reported_and_measured_on_a_fresh_start_each_time(stack):
    forgetful = Forgetful()
    report, _ = await bench_some(stack, {"tandem": forgetful})
    assert [each.kind for each in report.measurements] == ["closed", "closed", "open"]
    assert forgetful.starts == 3
    for each in report.measurements[:2]:
        assert each.not_arrived == each.statuses["201"] - each.users > 0
        assert f"{each.not_arrived:,} acknowledged users were not in the second store" in "".join(
            report.left_out
        )
    assert report.peers[0].made_with["msgspec"]


@pytest.mark.slow
async def test_rounds_alternate_and_who_fails_does_not_keep_the_others(stack):
    by_name = {"tandem": Failing(), "plain_way": Steady()}
    report, said = await bench_some(stack, by_name, rounds=2)
    assert said == [
        *("round 1 of 2: failing", "round 1 of 2: steady"),
        *("round 2 of 2: steady", "round 2 of 2: failing"),
    ]
    assert [each.peer for each in report.measurements] == ["failing"] * 3 + ["steady"] * 6
    assert report.left_out[0] == "failing: no longer starts."
    assert [each.name for each in report.peers] == ["failing", "steady"]
    for each in report.measurements:
        assert each.not_arrived == 0
        assert each.users == each.statuses["201"]
        assert each.lag_ms.max >= 0
        assert each.post_histogram.total == each.users
    # Half of its own saturation; and the CPU of a process that has become another one is not known.
    closed, _, half = report.measurements[3:6]
    assert half.rate_due == max(1, round(closed.per_second["synchronized"] / 2))
    assert "instances" not in half.cpu_us_per_user
    assert half.cpu_us_per_user["postgres"] >= 0
    assert "steady, round 1, open load over 200 connections: its CPU is not known" in "".join(report.left_out)
    assert msgspec.json.decode(msgspec.json.encode(report), type=Report) == report


async def test_where_none_can_be_measured_that_is_an_error(stack):
    failing = Failing()
    failing.starts = 1
    with pytest.raises(PeerFailed, match="no longer starts"):
        await bench_some(stack, {"tandem": failing})


@pytest.mark.slow
def test_two_designs_side_by_side_and_one_that_does_not_start(tmp_path):
    (tmp_path / "broken.py").write_text(BROKEN)
    file = tmp_path / "report.json"
    options = ["--peers", "tandem,plain_way", "--peer", "broken:peer", "--quick", "--seconds", "1"]
    ended = subprocess.run(
        [*TANDEM, "bench", *options, "--rounds", "1", "--data-dir", tmp_path / "none", "--json", file],
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
        cwd=tmp_path,
        env=os.environ | {"COLUMNS": "200"},
    )
    assert ended.returncode == 0, ended.stderr
    rows = {line.split()[0]: line.split() for line in ended.stdout.splitlines() if line}
    assert len(rows["tandem"]) == len(rows["plain_way"]) == 13
    assert "its program is missing" in ended.stdout
    report = msgspec.json.decode(file.read_bytes(), type=Report)
    assert report.kind == "peers"
    assert [(each.peer, each.connections) for each in report.measurements] == [
        (name, connections) for name in ("tandem", "plain_way") for connections in (200, 6, 200)
    ]
    assert [each.name for each in report.peers] == ["tandem", "plain_way"]
    assert report.peers[1].made_with["sqlalchemy"][0].isdigit()
    assert all(each.lines > 0 for each in report.peers)
    for each in report.measurements:
        assert each.not_arrived == 0
        assert each.statuses == {"201": each.users}
        assert all(each.cpu_us_per_user[part] > 0 for part in ("instances", "postgres", "mongodb"))
        assert each.memory_mib["instances"] > 0
        assert each.others_busy is not None
    assert {path.name for path in tmp_path.iterdir()} >= {"report.json", "report.html"}


@pytest.mark.parametrize(
    ("options", "code", "sentence"),
    [
        (("--peers", "tandem", "--instances", "2"), 2, "--instances says nothing with --peer or --peers"),
        (("--peer", "tandem", "--no-baselines"), 2, "--baselines says nothing"),
        (("--peers", "tandem,nobody"), 1, "There is no peer 'nobody'"),
        (("--peer", "nowhere:peer"), 1, "There is no peer 'nowhere:peer'"),
    ],
)
def test_what_cannot_be_measured_is_said_before_anything_starts(tmp_path, options, code, sentence):
    ended = finished("bench", "--data-dir", tmp_path / "none", *options)
    assert ended.returncode == code
    assert sentence in " ".join(ended.stderr.replace("│", " ").split())
    assert "Starting" not in ended.stderr
