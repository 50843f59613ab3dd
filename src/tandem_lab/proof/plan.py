"""What a proof does: its users and its faults."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path


class Strike(Enum):
    """What a fault does to a process."""

    KILL = "SIGKILL"
    END = "SIGTERM"
    PAUSE = "it is stopped for longer than a lease"


class Target(Enum):
    """Which process a fault happens to. The value of a server is its name in the stack's status."""

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


#: Every fault, by its name. A new fault needs only a row here.
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

# Called with the number of users acknowledged so far, and with what is going on in a few words.
Tell = Callable[[int, str], None]


@dataclass(frozen=True, kw_only=True)
class Plan:
    """The users, the faults and the limits of one proof."""

    users: int
    seed: str
    #: Decides the order of the faults, when they happen, and to which instance.
    random_seed: int
    faults: Sequence[Fault]
    connections: int
    #: How long to wait without any progress.
    patience_seconds: float
    ledger: Path
