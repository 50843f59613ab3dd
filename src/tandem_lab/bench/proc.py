"""What the kernel tells of processes and of the machine: CPU, memory, waits for a core or for the disk."""

import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import msgspec
import psutil


class MachineTimes(msgspec.Struct, frozen=True):
    """The machine's time so far, of all cores together, in microseconds; `at` is when that was."""

    at: float
    busy_us: int
    #: Idle while something waited for the disk.
    disk_wait_us: int


def machine_times() -> MachineTimes:
    """Stolen time, in which another machine had the core, counts as busy."""
    times = psutil.cpu_times()
    busy = times.user + times.nice + times.system + times.irq + times.softirq + times.steal
    return MachineTimes(time.monotonic(), round(busy * 1e6), round(times.iowait * 1e6))


def cpu_us(roots: Iterable[int]) -> int:
    """User and system time of processes and all of their children, ended ones too, in microseconds.

    A process that descends from two of the roots counts once.
    """
    return sum(map(_cpu_us, all_below(roots)))


def core_wait_us(roots: Iterable[int]) -> int:
    """How long threads of these processes were ready to run and had no core, in microseconds."""
    return sum(_core_wait_us(process.pid) for process in all_below(roots))


def memory_mib(roots: Iterable[int]) -> float:
    """What processes and their children hold, shared pages counted once among those who share them (PSS)."""
    return sum(map(_memory_mib, all_below(roots)))


def all_below(roots: Iterable[int]) -> set[psutil.Process]:
    """These processes and all that descend from them."""
    found = set()
    for root in roots:
        with suppress(psutil.NoSuchProcess):
            process = psutil.Process(root)
            found |= {process, *process.children(recursive=True)}
    return found


def _cpu_us(process: psutil.Process) -> int:
    try:
        times = process.cpu_times()
    except psutil.NoSuchProcess:  # ended meanwhile; its parent has its time now
        return 0
    return round(1e6 * (times.user + times.system + times.children_user + times.children_system))


def _core_wait_us(pid: int) -> int:
    """From /proc, because psutil does not tell it; see the kernel's documentation of schedstats."""
    waited = 0
    for file in Path(f"/proc/{pid}/task").glob("*/schedstat"):
        try:
            waited += int(file.read_text().split()[1])
        except (OSError, IndexError):  # the thread has ended, or this kernel does not tell
            continue
    return waited // 1000


def _memory_mib(process: psutil.Process) -> float:
    try:
        return float(process.memory_full_info().pss) / 2**20
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return 0.0
