"""Stacks on several hosts that are made of this machine: network namespaces as root, addresses otherwise."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hosts import Hosts
from up_process import StartStack, Up, requires_root, run_up

#: A root that may not make namespaces, as in most containers: its hosts are addresses.
WITHOUT_NAMESPACES = ("setpriv", "--bounding-set", "-sys_admin,-net_admin", "--")


@pytest.fixture(scope="module")
def place(new_place: Callable[[], Path]) -> Path:
    """A folder for the data folders of a module."""
    return new_place()


@pytest.fixture(scope="session", autouse=True)
def _haproxy(require_program) -> None:
    require_program("haproxy", "haproxy")


@pytest.fixture
def start_stack() -> Iterator[StartStack]:
    """Starts stacks, and ends those that still run after the test."""
    started: list[Up] = []

    def start(data_dir: Path, *options: str, prefix: tuple[str, ...] = (), **process) -> Up:
        started.append(Up(data_dir, *options, prefix=prefix, **process))
        return started[-1]

    yield start
    for stack in started:
        if stack.process.poll() is None:
            stack.end()


@pytest.fixture(scope="module", params=[pytest.param("namespaces", marks=requires_root), "addresses"])
def hosts(request: pytest.FixtureRequest, place: Path) -> Iterator[Hosts]:
    """One cell of three database hosts, for a whole module: as namespaces, and as addresses."""
    prefix = () if request.param == "namespaces" else WITHOUT_NAMESPACES
    with run_up(place / request.param, "--hosts", prefix=prefix) as running:
        yield Hosts(running)
