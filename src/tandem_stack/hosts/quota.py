"""How much CPU the hosts of a cell may use together: a control group of the kernel, version 1 or 2."""

import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tandem_stack.errors import StackError

# A cell that has used its part of a period waits for the next one. Short periods keep waits short; the kernel
# wants a part of at least a millisecond.
PERIOD_US = 20_000
LEAST_CORES = 0.05
_V1, _V2 = Path("/sys/fs/cgroup/cpu"), Path("/sys/fs/cgroup")


@dataclass(frozen=True)
class Quota:
    """A quota of `cores` for the group of that name."""

    name: str
    cores: float

    def make(self) -> None:
        """Make the group.

        Raises:
            StackError: this machine does not allow it; says why.
        """
        part = int(self.cores * PERIOD_US)
        try:
            if _is_v1():
                self._group.mkdir(exist_ok=True)
                (self._group / "cpu.cfs_period_us").write_text(str(PERIOD_US))
                (self._group / "cpu.cfs_quota_us").write_text(str(part))
            else:
                (_V2 / "cgroup.subtree_control").write_text("+cpu")
                self._group.mkdir(exist_ok=True)
                (self._group / "cpu.max").write_text(f"{part} {PERIOD_US}")
        except OSError as error:
            msg = f"No CPU quota can be set here: {error.strerror} ({error.filename})."
            raise StackError(msg) from None

    def enter(self) -> Callable[[], None]:
        """A function that brings the process which calls it into the group."""
        file = self._group / "cgroup.procs"

        def enter() -> None:
            file.write_text(str(os.getpid()))

        return enter

    @property
    def _group(self) -> Path:
        return (_V1 if _is_v1() else _V2) / self.name


def remove_quotas(word: str) -> None:
    """Take away all groups whose names begin with `word`. No process may be in them any more."""
    for group in (_V1 if _is_v1() else _V2).glob(f"{word}-*"):
        with suppress(OSError):
            group.rmdir()


def _is_v1() -> bool:
    return (_V1 / "cpu.cfs_quota_us").exists()
