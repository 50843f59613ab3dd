"""Stacks for the tests: one for a whole module, or as many as a test starts."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from up_process import StartStack, Up, run_up


@pytest.fixture(scope="module")
def place(new_place: Callable[[], Path]) -> Path:
    """A folder for the data folders of a module."""
    return new_place()


@pytest.fixture
def start_stack() -> Iterator[StartStack]:
    """Starts stacks, and ends those that still run after the test."""
    started: list[Up] = []

    def start(data_dir: Path, *options: str, prefix: tuple[str, ...] = (), **process: Any) -> Up:
        started.append(Up(data_dir, *options, prefix=prefix, **process))
        return started[-1]

    yield start
    for stack in started:
        if stack.process.poll() is None:
            stack.end()


@pytest.fixture(scope="module")
def stack(place: Path) -> Iterator[Up]:
    """One stack for a whole module."""
    with run_up(place / "shared") as running:
        yield running
