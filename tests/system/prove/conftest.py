"""A stack whose processes a proof may strike."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from up_process import Up


@pytest.fixture(scope="module")
def stack(new_place: Callable[[], Path]) -> Iterator[Up]:
    """`tandem up` with three instances, for a whole module."""
    running = Up(new_place() / "stack", "--instances", "3")
    try:
        running.until_it_says("Tandem is running")
        yield running
    finally:
        running.end()
