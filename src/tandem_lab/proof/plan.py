"""What is to be proved. Needs nothing of what carries it out."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path


class Strike(Enum):
    """What a fault does to a process."""

    KILL = "SIGKILL"
    END = "SIGTERM"
    PAUSE = "it stands still for longer than a lease"


class Target(Enum):
    """Whom a fault strikes; a server's value is its name in the stack's status."""

    ONE_INSTANCE = "an instance chosen by chance"
    EVERY_INSTANCE = "all instances, one after the other"
    POSTGRES = "postgres"
    MONGODB = "mongodb"


@dataclass(frozen=True)
class Fault:
    """One thing that can go wrong."""

    name: str
    strike: Strike
    target: Target

    def __str__(self) -> str:
        return self.name


#: Every fault, by its name. To add one is to add a row.
FAULTS = {
    fault.name: fault
    for fault in (
        Fault("kill-instance", Strike.KILL, Target.ONE_INSTANCE),
        Fault("kill-mongodb", Strike.KILL, Target.MONGODB),
        Fault("kill-postgres", Strike.KILL, Target.POSTGRES),
        Fault("pause-instance", Strike.PAUSE, Target.ONE_INSTANCE),
        Fault("pause-mongodb", Strike.PAUSE, Target.MONGODB),
        Fault("rolling-restart", Strike.END, Target.EVERY_INSTANCE),
    )
}

# Told what goes on: users acknowledged so far, and a few words.
Tell = Callable[[int, str], None]


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What is to be proved, and how."""

    users: int
    seed: str
    #: Decides the order of the faults, their moments, and whom they strike.
    random_seed: int
    faults: Sequence[Fault]
    connections: int
    #: How long to wait where nothing goes on any more.
    patience_seconds: float
    ledger: Path
