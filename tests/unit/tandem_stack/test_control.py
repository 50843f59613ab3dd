"""The socket over which others speak with a stack of hosts."""

import stat
from pathlib import Path

import pytest

from tandem_stack.errors import StackError
from tandem_stack.hosts.control import FILE, MOST_BYTES, Control, ask


@pytest.fixture
def deep(tmp_path: Path) -> Path:
    """A folder whose path is longer than that of a socket may be."""
    folder = tmp_path / ("long" * 30)
    folder.mkdir()
    return folder


async def test_a_line_is_carried_out_before_it_is_answered_however_deep_the_folder(deep: Path):
    heard: list[list[str]] = []

    async def carry_out(words: list[str]) -> None:
        heard.append(words)

    control = Control(deep, carry_out)
    await control.open()
    try:
        await ask(deep, "slow", "c0-db1", 5.0)
        assert heard == [["slow", "c0-db1", "5.0"]]
        assert stat.S_IMODE((deep / FILE).stat().st_mode) == 0o600
    finally:
        control.close()
    with pytest.raises(StackError, match="No stack of hosts is running"):
        await ask(deep, "reconcile")


async def test_why_something_cannot_be_done_comes_back_as_one_sentence(tmp_path: Path):
    async def refuse(_words: list[str]) -> None:
        raise StackError("No.\nNot today.")

    control = Control(tmp_path, refuse)
    await control.open()
    try:
        with pytest.raises(StackError, match=r"^No\. Not today\.$"):
            await ask(tmp_path, "kill", "c0-db1")
        with pytest.raises(StackError, match="has ended before it answered"):
            await ask(tmp_path, "x" * 2 * MOST_BYTES)
        with pytest.raises(StackError, match="Not today"):
            await ask(tmp_path, "still", "there")
    finally:
        control.close()
