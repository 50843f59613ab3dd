"""A stack whose processes a proof may strike."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from up_process import Up, run_up


@pytest.fixture(scope="module")
def stack(new_place: Callable[[], Path]) -> Iterator[Up]:
    """`tandem up` with three instances, for a whole module."""
    with run_up(new_place() / "stack", "--instances", "3") as running:
        yield running
