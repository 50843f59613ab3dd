"""What the kernel tells of processes and of the machine: CPU, memory, waits for a core or for the disk."""

import os
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec

TICK_MICROSECONDS = 1_000_000 // os.sysconf("SC_CLK_TCK")


class MachineTimes(msgspec.Struct, frozen=True):
    """The machine's time so far, of all cores together, in microseconds; `at` is when that was."""

    at: float
    busy_us: int
    #: Idle while something waited for the disk.
    disk_wait_us: int


def machine_times() -> MachineTimes:
    """See proc(5); stolen time, in which another machine had the core, counts as busy."""
    fields = [int(field) for field in Path("/proc/stat").read_text().splitlines()[0].split()[1:]]
    busy = sum(fields[:3]) + sum(fields[5:8])
    return MachineTimes(time.monotonic(), busy * TICK_MICROSECONDS, fields[4] * TICK_MICROSECONDS)


def tree(pid: int) -> Iterator[int]:
    """A process and all that descend from it."""
    yield pid
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except (FileNotFoundError, ProcessLookupError):
        return
    for child in children:
        yield from tree(int(child))


def cpu_us(roots: Iterable[int]) -> int:
    """User and system time of processes and all of their children, ended ones too, in microseconds.

    A process that descends from two of the roots counts once.
    """
    return sum(map(_cpu_us, _all_below(roots)))


def core_wait_us(roots: Iterable[int]) -> int:
    """How long threads of these processes were ready to run and had no core, in microseconds."""
    return sum(map(_core_wait_us, _all_below(roots)))


def memory_mib(roots: Iterable[int]) -> float:
    """What processes and their children hold, shared pages counted once among those who share them (PSS)."""
    return sum(map(_memory_mib, _all_below(roots)))


def _all_below(roots: Iterable[int]) -> set[int]:
    return {pid for root in roots for pid in tree(root)}


def _cpu_us(pid: int) -> int:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):  # ended meanwhile; its parent has its time now
        return 0
    return sum(int(field) for field in fields[11:15]) * TICK_MICROSECONDS


def _core_wait_us(pid: int) -> int:
    waited = 0
    for file in Path(f"/proc/{pid}/task").glob("*/schedstat"):
        try:
            waited += int(file.read_text().split()[1])
        except (OSError, IndexError):  # the thread has ended, or this kernel does not tell
            continue
    return waited // 1000


def _memory_mib(pid: int) -> float:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except (FileNotFoundError, PermissionError, ProcessLookupError):
        return 0.0
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("Pss:")), 0.0)
