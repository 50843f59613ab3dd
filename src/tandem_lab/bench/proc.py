"""What the kernel knows of processes and of the machine: CPU, memory, waits for a core or for the disk."""

import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import msgspec
import psutil


class MachineTimes(msgspec.Struct, frozen=True):
    """The times of all cores together so far, in microseconds, read at the time `at`."""

    at: float
    busy_us: int
    #: Idle while something waited for the disk.
    disk_wait_us: int


def machine_times() -> MachineTimes:
    """The times now. Stolen time, in which another virtual machine had the core, counts as busy."""
    times = psutil.cpu_times()
    busy = times.user + times.nice + times.system + times.irq + times.softirq + times.steal
    return MachineTimes(time.monotonic(), round(busy * 1e6), round(times.iowait * 1e6))


def cpu_us(roots: Iterable[int]) -> int:
    """User and system time of processes and all of their children, ended ones too, in microseconds.

    A process that descends from two of the roots counts once.
    """
    seconds = 0.0
    for process in all_below(roots):
        with suppress(psutil.NoSuchProcess):  # it has ended; now its parent has its time
            times = process.cpu_times()
            seconds += times.user + times.system + times.children_user + times.children_system
    return round(1e6 * seconds)


def main_threads_us(pids: Iterable[int]) -> int:
    """User and system time of the main thread of each process, in microseconds."""
    seconds = 0.0
    for pid in pids:
        with suppress(psutil.NoSuchProcess):
            threads = psutil.Process(pid).threads()
            seconds += sum(each.user_time + each.system_time for each in threads if each.id == pid)
    return round(1e6 * seconds)


def core_wait_us(roots: Iterable[int]) -> int:
    """How long threads of these processes were ready to run and had no core, in microseconds.

    From /proc, because psutil does not say it; see the kernel's documentation of schedstats.
    """
    waited_ns = 0
    for process in all_below(roots):
        for file in Path(f"/proc/{process.pid}/task").glob("*/schedstat"):
            with suppress(OSError, IndexError):  # the thread has ended, or this kernel does not say
                waited_ns += int(file.read_text().split()[1])
    return waited_ns // 1000


def memory_mib(roots: Iterable[int]) -> float:
    """The memory of processes and their children. Each shared page counts in parts (PSS)."""
    found = 0
    for process in all_below(roots):
        with suppress(psutil.NoSuchProcess, psutil.AccessDenied):
            found += process.memory_full_info().pss
    return found / 2**20


def open_descriptors(roots: Iterable[int]) -> int:
    """Files and connections that processes and their children have open; each process counts its own."""
    found = 0
    for process in all_below(roots):
        with suppress(psutil.NoSuchProcess, psutil.AccessDenied):
            found += process.num_fds()
    return found


def all_below(roots: Iterable[int]) -> set[psutil.Process]:
    """These processes and all that descend from them."""
    found = set()
    for root in roots:
        with suppress(psutil.NoSuchProcess):
            process = psutil.Process(root)
            found |= {process, *process.children(recursive=True)}
    return found
