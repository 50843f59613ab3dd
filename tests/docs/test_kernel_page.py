"""docs/kernel.md is a program: its blocks run one after the other and print what the page shows."""

import contextlib
import io
import itertools
import re

import pytest

from doc_pages import Fence, fences
from places import ROOT
from tandem import kernel

PAGE = ROOT / "docs" / "kernel.md"
# From here on the blocks are files, which tests/system/stack/test_library_through_a_kill.py runs.
DURABLE = "## Where memory ends"


def programs() -> list[tuple[Fence, str]]:
    """Each block of Python with the output that the page shows right after it."""
    pairs = itertools.pairwise(fences(PAGE.read_text().partition(DURABLE)[0]))
    wanted = ("python", "text")
    return [(code, shown.text) for code, shown in pairs if (code.language, shown.language) == wanted]


# A test without a loop of its own: the blocks call asyncio.run. Each uses the names of those before it.
def test_every_block_prints_what_the_page_shows():
    names: dict[str, object] = {"__name__": "kernel_page"}
    for code, shown in programs():
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile("\n" * (code.line - 1) + code.text, str(PAGE), "exec"), names)
        assert printed.getvalue() == shown, f"the block that begins in line {code.line}"


def test_no_block_of_python_is_left_out():
    blocks = [fence for fence in fences(PAGE.read_text().partition(DURABLE)[0]) if fence.language == "python"]
    assert len(blocks) == len(programs()) >= 3


@pytest.mark.parametrize("name", kernel.__all__)
def test_the_page_speaks_of_everything_that_the_kernel_offers(name):
    assert re.search(rf"\b{name}\b", PAGE.read_text())
