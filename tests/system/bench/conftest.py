"""A stack that is measured, and a probe that looks into it."""

from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

from tandem_lab.bench.probe import Probe
from tandem_stack.status import read_status
from up_process import Up, run_up


@pytest.fixture(scope="package")
def stack(new_lasting_place: Callable[[], Path]) -> Iterator[Up]:
    """`tandem up` with two instances, for all tests of this folder."""
    with run_up(new_lasting_place() / "stack", "--instances", "2") as running:
        yield running


@pytest.fixture
async def probe(stack: Up) -> AsyncIterator[Probe]:
    """A probe of that stack."""
    async with Probe.open(read_status(stack.data_dir)) as opened:
        yield opened
