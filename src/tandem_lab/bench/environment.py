"""Where a measurement was made: the machine, the servers with their durability, the code."""

import asyncio
import os
import platform
import re
import subprocess
import tempfile
import time
from importlib import metadata
from pathlib import Path
from statistics import median
from typing import Any

import psutil

from tandem_lab.bench.probe import Probe

FSYNC_TRIES = 200
BLOCK_BYTES = 8192
# These settings decide how fast and how safe PostgreSQL is. Without them a report proves nothing.
POSTGRES_SETTINGS = (
    "fsync",
    "full_page_writes",
    "synchronous_commit",
    "wal_sync_method",
    "wal_level",
    "shared_buffers",
    "max_wal_size",
    "min_wal_size",
    "wal_init_zero",
    "checkpoint_timeout",
    "autovacuum",
    "max_connections",
)


async def environment_of(probe: Probe, data_dir: Path) -> dict[str, object]:
    """Everything that a reader needs to judge the numbers, as JSON types."""
    return {
        "machine": machine(),
        "fsync_us": fsync_microseconds(data_dir),
        "postgres": await probe.postgres_settings(POSTGRES_SETTINGS),
        "mongodb": await probe.mongodb_settings(),
        "instances": len(probe.running.instances),
        "python": platform.python_version(),
        "packages": packages(),
        "tandem": metadata.version("tandem-cqrs"),
        "revision": revision(),
        "others_busy": await others_busy(probe),
    }


def machine() -> dict[str, Any]:
    """The processor, the cores that this process may use, the memory and the kernel."""
    model = re.search(r"^model name\s*:(.*)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    return {
        "processor": model[1].strip() if model else "unknown",
        "cores": len(os.sched_getaffinity(0)),
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "kernel": platform.release(),
    }


def packages() -> dict[str, str]:
    """The packages that the service needs, with their installed versions."""
    needed = [each for each in metadata.requires("tandem-cqrs") or [] if "extra ==" not in each]
    names = [re.split(r"[^\w.-]", each, maxsplit=1)[0] for each in needed]
    return {name: metadata.version(name) for name in sorted(names)}


def fsync_microseconds(folder: Path) -> float:
    """The median time of appending one block to a file on that disk and making it safe (fdatasync)."""
    times = []
    with tempfile.TemporaryFile(dir=folder) as file:
        for _ in range(FSYNC_TRIES):
            file.write(b"x" * BLOCK_BYTES)
            file.flush()
            started = time.perf_counter()
            os.fdatasync(file.fileno())
            times.append(time.perf_counter() - started)
    return round(median(times) * 1e6, 1)


def revision() -> str | None:
    """The checkout's git revision, with a `+` if it has changes; None if this is no checkout."""
    here = Path(__file__).parent
    try:
        found = _git(here, "rev-parse", "--short", "HEAD")
        return found + ("+" if _git(here, "status", "--porcelain", "--untracked-files=no") else "")
    except (OSError, subprocess.CalledProcessError):
        return None


async def others_busy(probe: Probe, seconds: float = 1.0) -> float:
    """How many cores other programs keep busy now, while nothing is measured."""
    before = await probe.usage()
    await asyncio.sleep(seconds)
    return (await probe.usage()).others_busy(before)


def _git(folder: Path, *arguments: str) -> str:
    command = ["git", "-C", str(folder), *arguments]
    return subprocess.run(command, capture_output=True, check=True, text=True).stdout.strip()
