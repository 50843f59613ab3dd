"""What keeps a service running, however often it fails and whatever goes wrong while looking after it."""

import asyncio
import ctypes
import os
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from tandem_stack.host import Host
from tandem_stack.processes import (
    PR_SET_CHILD_SUBREAPER,
    Process,
    Program,
    adopt_orphans,
    children,
    kill_children,
)
from tandem_stack.services import Service
from tandem_stack.stack import end_all
from tandem_stack.supervisor import Supervisor

NO_PAUSE = (0.0,)


@pytest.fixture
def _adopting() -> Iterator[None]:
    """Processes whose parent has died become ours, for one test."""
    adopt_orphans()
    yield
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 0)


@pytest.fixture(autouse=True)
def _spare_what_other_tests_started() -> Iterator[None]:
    """A supervisor kills children of its process that it does not know; another test's browser is one."""
    others = set(children(os.getpid())) - Process.running
    Process.running |= others
    yield
    Process.running -= others


async def is_ready() -> bool:
    return True


def sleeper(folder: Path, name: str = "service", probe=is_ready) -> Service:
    """A service that cannot be started while the folder of its log is away."""
    (folder / "logs").mkdir(exist_ok=True)
    return Service(
        name=name,
        title=name,
        program=Program(command=["/bin/sleep", "1000"], folder=folder, log=folder / "logs" / name),
        is_ready=probe,
    )


class Reports(list[tuple[str, str]]):
    """All that was reported, and a way to wait for it."""

    def __init__(self) -> None:
        super().__init__()
        self._news = asyncio.Event()

    def __call__(self, title: str, state: str) -> None:
        self.append((title, state))
        self._news.set()

    async def until(self, words: str, times: int) -> None:
        """Wait until a state with these words was reported so many times."""
        seen = position = 0
        async with asyncio.timeout(120):
            while True:
                seen += sum(words in state for _, state in self[position:])
                position = len(self)
                if seen >= times:
                    return
                self._news.clear()
                await self._news.wait()


async def test_two_thousand_failures_are_not_the_end(tmp_path: Path):
    reports = Reports()
    supervisor = Supervisor(sleeper(tmp_path), reports, NO_PAUSE)
    await supervisor.start()
    (tmp_path / "logs").rename(tmp_path / "away")
    await supervisor._process.kill()
    await reports.until("cannot be started", 2_000)
    (tmp_path / "away").rename(tmp_path / "logs")
    await reports.until("ready", 2)
    assert supervisor.pid is not None
    await supervisor.stop(asyncio.Event())
    assert reports[-1] == ("service", "stopped")


async def test_what_was_let_go_and_killed_stays_down_until_it_is_resumed(tmp_path: Path):
    reports = Reports()
    supervisor = Supervisor(sleeper(tmp_path), reports, NO_PAUSE)
    await supervisor.start()
    await supervisor.let_go()
    await supervisor.kill()
    assert supervisor.pid is None
    assert reports == [("service", "starting"), ("service", "ready")]
    supervisor.resume()
    await reports.until("ready", 2)
    assert supervisor.pid is not None
    await supervisor.stop(asyncio.Event())


@pytest.mark.usefixtures("_adopting")
async def test_the_death_of_a_service_ends_what_works_below_its_folder_and_spares_others(tmp_path: Path):
    (tmp_path / "own" / "data").mkdir(parents=True)
    script = "cd {} && sleep 1000 & echo $! >> {}/orphans"
    orphans = [script.format(tmp_path / place, tmp_path) for place in ("own/data", ".")]
    service = sleeper(tmp_path / "own")
    command = ["/bin/sh", "-c", "; ".join([*orphans, "exec sleep 1000"])]
    service = replace(service, program=replace(service.program, command=command))
    reports = Reports()
    supervisor = Supervisor(service, reports, NO_PAUSE)
    await supervisor.start()
    async with asyncio.timeout(10):
        while not (tmp_path / "orphans").exists() or len((tmp_path / "orphans").read_text().split()) < 2:
            await asyncio.sleep(0.01)
    own, other = map(int, (tmp_path / "orphans").read_text().split())
    os.kill(supervisor.pid, signal.SIGKILL)
    await reports.until("ready", 2)
    assert not psutil.pid_exists(own)
    assert psutil.pid_exists(other)
    await supervisor.stop(asyncio.Event())
    kill_children(below=tmp_path)
    assert not psutil.pid_exists(other)


async def test_a_program_enters_its_host_before_it_runs(tmp_path: Path):
    entered = tmp_path / "entered"
    host = Host("c0-db1", "127.0.0.1", enter=lambda: entered.write_text(str(os.getpid())) and None)
    process = Process.start(replace(sleeper(tmp_path).program, host=host))
    assert entered.read_text() == str(process.pid)
    await process.kill()


async def test_an_error_that_nobody_foresaw_is_reported_and_leaves_one_process(tmp_path: Path):
    answers = iter([True, ZeroDivisionError("odd"), True])
    reports = Reports()

    async def probe() -> bool:
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    others = set(Process.running)
    supervisor = Supervisor(sleeper(tmp_path, probe=probe), reports, NO_PAUSE)
    await supervisor.start()
    first = supervisor._process
    await first.kill()
    await reports.until("ready", 2)
    assert any("ZeroDivisionError: odd" in state for _, state in reports)
    assert {supervisor.pid} == Process.running - others - {first.pid}
    await supervisor.stop(asyncio.Event())


async def test_an_error_that_nobody_foresaw_before_it_was_ever_ready_ends_the_attempts(tmp_path: Path):
    async def probe() -> bool:
        raise ZeroDivisionError

    supervisor = Supervisor(sleeper(tmp_path, probe=probe), Reports(), NO_PAUSE)
    with pytest.raises(ZeroDivisionError):
        await supervisor.start()
    assert supervisor.pid is None


async def test_a_part_that_cannot_be_ended_does_not_keep_others_from_it(tmp_path: Path):
    reports = Reports()

    class Broken(Supervisor):
        async def stop(self, hurry: asyncio.Event) -> None:
            raise ZeroDivisionError

    supervisors = [
        Broken(sleeper(tmp_path, "front"), reports),
        Supervisor(sleeper(tmp_path, "store"), reports),
    ]
    for supervisor in supervisors:
        await supervisor.start()
    try:
        await end_all([[supervisors[0]], [supervisors[1]]], asyncio.Event(), reports)
    finally:
        await supervisors[0]._process.kill()
        supervisors[0]._task.cancel()
    assert supervisors[1].pid is None
    assert ("front", "could not be ended in order (ZeroDivisionError: )") in reports


async def test_a_service_that_says_nothing_for_a_while_is_told_and_that_it_is_back(tmp_path, monkeypatch):
    monkeypatch.setattr("tandem_stack.supervisor.SECONDS_BETWEEN_QUESTIONS", 0.01)
    monkeypatch.setattr("tandem_stack.supervisor.SILENT_SECONDS", 0.05)
    is_frozen = False

    async def answers() -> bool:
        return not is_frozen

    reports = Reports()
    supervisor = Supervisor(replace(sleeper(tmp_path), answers=answers), reports, NO_PAUSE)
    await supervisor.start()
    for times in (1, 2):
        is_frozen = True
        await reports.until("does not answer", times)
        is_frozen = False
        await reports.until("answers again, after", times)
    await supervisor._process.kill()
    await reports.until("starting it again", 1)
    await reports.until("ready", 2)
    assert [state.partition(",")[0] for _, state in reports[2:6]] == ["does not answer", "answers again"] * 2
    assert supervisor.restarts == 1
    await supervisor.stop(asyncio.Event())
