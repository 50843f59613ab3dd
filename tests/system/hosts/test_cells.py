"""Several small cells: one address for all, one that is added meanwhile, and nothing that stays behind."""

import asyncio
import os
import signal
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import msgspec
import pytest

from command_line import finished
from hosts import Hosts
from tandem_stack.errors import StackError
from tandem_stack.hosts import control
from tandem_stack.hosts.desired import DesiredCell, read_desired, write_desired
from tandem_stack.hosts.making import word_of
from tandem_stack.processes import children
from up_process import StartStack, Up, is_alive, requires_root, run_up
from waiting import eventually

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600), requires_root]


def traces(data_dir: Path) -> set[object]:
    """All that the stack on this data folder has made besides processes."""
    places = ("/run/netns", "/sys/class/net", "/sys/fs/cgroup/cpu", "/sys/fs/cgroup")
    return {path for place in places for path in Path(place).glob(f"{word_of(data_dir)}-*")}


@pytest.fixture(scope="module")
def cells(place: Path) -> Iterator[Hosts]:
    """Two cells of one database host each, which may use half of a core."""
    with run_up(place / "cells", "--hosts", "--cells", "2", "--cpu-per-cell", "0.5") as running:
        yield Hosts(running)


def quota_of(pid: int) -> str:
    """The control group that limits the CPU of a process."""
    lines = Path(f"/proc/{pid}/cgroup").read_text().splitlines()
    return next(line for line in lines if "cpu" in line.split(":")[1].split(",") or line.startswith("0::/td"))


def test_both_cells_take_users_and_all_are_read_by_one_address(cells: Hosts):
    assert [cell.number for cell in cells.cells] == [0, 1]
    for _ in range(6):
        cells.create()
    eventually(cells.all_are_served, "all users are served")


def test_what_runs_on_a_cells_hosts_shares_one_quota(cells: Hosts):
    if not any("cgroup" in str(path) for path in traces(cells.up.data_dir)):
        pytest.skip("this machine allows no control groups")
    for cell in cells.cells:
        pids = [pid for host in cell.hosts for pid in host.pids.values() if pid]
        of_cell = {quota_of(child) for pid in pids for child in (pid, *children(pid))}
        assert len(of_cell) == 1
        assert of_cell.pop().endswith(f"-c{cell.number}")


def test_a_cell_is_added_while_the_others_run(cells: Hosts):
    desired = read_desired(cells.up.data_dir)
    before = cells.cells
    more = DesiredCell(number=2, database_hosts=1, instance_hosts=1)
    write_desired(cells.up.data_dir, msgspec.structs.replace(desired, cells=(*desired.cells, more)))
    asyncio.run(control.ask(cells.up.data_dir, "reconcile"))
    assert cells.cells[:2] == before
    assert [cell.number for cell in cells.cells] == [0, 1, 2]
    cells.create()


def test_what_a_stack_cannot_carry_out_is_said(cells: Hosts):
    with pytest.raises(StackError, match="does not know what 'dance'"):
        asyncio.run(control.ask(cells.up.data_dir, "dance"))
    with pytest.raises(StackError, match="No stack of hosts is running"):
        asyncio.run(control.ask(cells.up.data_dir.parent, "reconcile"))


def small(place: Path, name: str, start_stack: StartStack) -> Up:
    stack = start_stack(place / name, "--hosts", "--hosts-per-cell", "1", "--cpu-per-cell", "0.9")
    stack.until_it_says("Tandem is running")
    return stack


def test_down_leaves_nothing_and_the_next_up_finds_cells_and_data_beside_another_stack(
    cells: Hosts, place: Path, start_stack: StartStack
):
    stack = small(place, "down", start_stack)
    user = Hosts(stack).create()
    assert traces(stack.data_dir)
    processes = stack.all_processes()
    assert finished("down", "--data-dir", stack.data_dir).stdout == "The stack has ended.\n"
    assert not any(map(is_alive, processes[1:]))
    assert not traces(stack.data_dir)

    again = start_stack(stack.data_dir, "--hosts")
    again.until_it_says("Tandem is running")
    eventually(lambda: again.get(f"/api/v1/user-query/{user}")[0] == 200, "the user is there")
    assert cells.up.get("/health/ready")[0] == 200


def test_a_stack_with_a_cell_that_takes_no_new_users_starts_again(place: Path, start_stack: StartStack):
    stack = start_stack(place / "draining", "--hosts", "--cells", "2")
    stack.until_it_says("Tandem is running")
    drained = finished("cells", "drain", "1", "--data-dir", stack.data_dir)
    assert drained.returncode == 0, drained.stderr
    finished("down", "--data-dir", stack.data_dir)

    again = start_stack(stack.data_dir, "--hosts")
    again.until_it_says("Tandem is running")
    assert "draining" in finished("cells", "list", "--data-dir", stack.data_dir).stdout


@pytest.mark.parametrize("victim", ["tandem up itself", "its supervisor"])
def test_nothing_stays_behind_when_half_of_up_is_killed(place: Path, start_stack: StartStack, victim: str):
    stack = small(place, victim.replace(" ", "-"), start_stack)
    watchdog, supervisor, *others = stack.all_processes()
    os.kill(watchdog if victim == "tandem up itself" else supervisor, signal.SIGKILL)
    eventually(lambda: not any(map(is_alive, [supervisor, *others])), "every process has ended")
    eventually(lambda: not traces(stack.data_dir), "all else is gone")


def test_the_next_up_takes_away_what_is_left_when_all_is_killed_at_once(place: Path, start_stack: StartStack):
    stack = start_stack(place / "all", "--hosts")
    stack.until_it_says("Tandem is running")
    processes = stack.all_processes()
    for pid in processes:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    stack.process.wait(10)
    assert traces(stack.data_dir)

    again = start_stack(stack.data_dir, "--hosts")
    again.until_it_says("Tandem is running")
    assert not any(map(is_alive, processes))
    Hosts(again).create()
    assert again.end() == 0
    assert not traces(stack.data_dir)


def test_a_data_folder_with_other_cells_is_refused(cells: Hosts, place: Path):
    refused = finished("up", "--hosts", "--cells", "3", "--data-dir", place / "down")
    assert refused.returncode == 1
    assert "tandem cells add" in refused.stderr
