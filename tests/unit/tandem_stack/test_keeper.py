"""What keeps a part running, however often it fails and whatever goes wrong while looking after it."""

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tandem_stack.parts import Part
from tandem_stack.processes import Process, Program, children
from tandem_stack.stack import end_all
from tandem_stack.supervisor import Keeper

NO_PAUSE = (0.0,)


@pytest.fixture(autouse=True)
def _spare_what_other_tests_started() -> Iterator[None]:
    """A keeper kills children of its process that it does not know; here a browser of other tests is one."""
    others = set(children(os.getpid())) - Process.running
    Process.running |= others
    yield
    Process.running -= others


async def is_ready() -> bool:
    return True


def sleeper(folder: Path, name: str = "part", probe=is_ready) -> Part:
    """A part that cannot be started while the folder of its log is away."""
    (folder / "logs").mkdir(exist_ok=True)
    return Part(
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
    keeper = Keeper(sleeper(tmp_path), reports, NO_PAUSE)
    await keeper.start()
    (tmp_path / "logs").rename(tmp_path / "away")
    await keeper._process.kill()
    await reports.until("cannot be started", 2_000)
    (tmp_path / "away").rename(tmp_path / "logs")
    await reports.until("ready", 2)
    assert keeper.pid is not None
    await keeper.stop(asyncio.Event())
    assert reports[-1] == ("part", "stopped")


async def test_an_error_that_nobody_foresaw_is_reported_and_leaves_one_process(tmp_path: Path):
    answers = iter([True, ZeroDivisionError("odd"), True])
    reports = Reports()

    async def probe() -> bool:
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    others = set(Process.running)
    keeper = Keeper(sleeper(tmp_path, probe=probe), reports, NO_PAUSE)
    await keeper.start()
    first = keeper._process
    await first.kill()
    await reports.until("ready", 2)
    assert any("ZeroDivisionError: odd" in state for _, state in reports)
    assert {keeper.pid} == Process.running - others - {first.pid}
    await keeper.stop(asyncio.Event())


async def test_an_error_that_nobody_foresaw_before_it_was_ever_ready_ends_the_attempts(tmp_path: Path):
    async def probe() -> bool:
        raise ZeroDivisionError

    keeper = Keeper(sleeper(tmp_path, probe=probe), Reports(), NO_PAUSE)
    with pytest.raises(ZeroDivisionError):
        await keeper.start()
    assert keeper.pid is None


async def test_a_part_that_cannot_be_ended_does_not_keep_others_from_it(tmp_path: Path):
    reports = Reports()

    class Broken(Keeper):
        async def stop(self, hurry: asyncio.Event) -> None:
            raise ZeroDivisionError

    keepers = [Broken(sleeper(tmp_path, "door"), reports), Keeper(sleeper(tmp_path, "store"), reports)]
    for keeper in keepers:
        await keeper.start()
    try:
        await end_all([[keepers[0]], [keepers[1]]], asyncio.Event(), reports)
    finally:
        await keepers[0]._process.kill()
        keepers[0]._task.cancel()
    assert keepers[1].pid is None
    assert ("door", "could not be ended in order (ZeroDivisionError: )") in reports
