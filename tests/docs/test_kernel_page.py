"""docs/kernel.md is a program: its blocks run one after the other and print what the page shows."""

import contextlib
import io
import itertools

import pytest
from markdown import ROOT, Fence, fences

PAGE = ROOT / "docs" / "kernel.md"


def programs() -> list[tuple[Fence, str]]:
    """Each block of Python with the output that the page shows right after it."""
    pairs = itertools.pairwise(fences(PAGE.read_text()))
    return [
        (code, shown.text) for code, shown in pairs if (code.language, shown.language) == ("python", "text")
    ]


# A test without a loop of its own, because the blocks call asyncio.run. Each builds on the names of those before.
def test_every_block_prints_what_the_page_shows():
    names: dict[str, object] = {"__name__": "kernel_page"}
    for code, shown in programs():
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile("\n" * (code.line - 1) + code.text, str(PAGE), "exec"), names)
        assert printed.getvalue() == shown, f"the block that begins in line {code.line}"


def test_no_block_of_python_is_left_out():
    blocks = [fence for fence in fences(PAGE.read_text()) if fence.language == "python"]
    assert len(blocks) == len(programs()) >= 3


@pytest.mark.parametrize("name", ["AggregateRoot", "Backoff", "Coalescing", "Command", "CommandBus", "Event"])
def test_the_page_shows_each_of_the_kernels_tools(name):
    assert any(name in code.text for code, _ in programs())
