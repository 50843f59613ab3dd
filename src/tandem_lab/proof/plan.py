"""What a proof does: its commands and its faults."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from enum import Enum
from pathlib import Path


class Strike(Enum):
    """What a fault does to a process."""

    KILL = "SIGKILL"
    END = "SIGTERM"
    PAUSE = "it is stopped for longer than a lease"
    POWER_OFF = "all of its processes are killed, and start again later"
    CUT = "its cable is pulled, and plugged in later"
    CUT_FROM_STANDBYS = "nothing passes between it and the other database hosts"
    HAND_OVER = "it is told to hand over to another one"
    SLOW = "its cable delays each packet, and loses some"


class Target(Enum):
    """Which process a fault happens to. The value of a server is its name in the stack's status."""

    ONE_INSTANCE = "an instance chosen by chance"
    EVERY_INSTANCE = "all instances, one after the other"
    POSTGRES = "postgres"
    MONGODB = "mongodb"
    PRIMARY_HOST = "the host of the PostgreSQL that writes, in a cell chosen by chance"


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

#: The same for a stack of several hosts (`--hosts`).
HOST_FAULTS = {
    fault.name: fault
    for fault in (
        Fault("kill-host", Strike.POWER_OFF, Target.PRIMARY_HOST),
        Fault("cut-host", Strike.CUT, Target.PRIMARY_HOST),
        Fault("cut-primary-from-standbys", Strike.CUT_FROM_STANDBYS, Target.PRIMARY_HOST),
        Fault("failover-postgres", Strike.HAND_OVER, Target.POSTGRES),
        Fault("failover-mongodb", Strike.HAND_OVER, Target.MONGODB),
        Fault("slow-cable", Strike.SLOW, Target.PRIMARY_HOST),
    )
}
#: What only hosts with cables of their own allow, and what only a cell of several database hosts does.
OF_CABLES = frozenset({Strike.CUT, Strike.CUT_FROM_STANDBYS, Strike.SLOW})
OF_STANDBYS = frozenset({Strike.CUT_FROM_STANDBYS, Strike.HAND_OVER})

MOST_OF_A_KIND = 100  # as a share: one connection sends them one after the other


@dataclass(frozen=True)
class Mix:
    """How many commands of each kind are sent, in proportion to each other."""

    create: int = 100
    update: int = 0
    delete: int = 0

    def __str__(self) -> str:
        return ",".join(f"{kind.name}={getattr(self, kind.name)}" for kind in fields(self))

    def updates_after(self, index: int) -> int:
        """How many users are to be updated once the user with this number is created."""
        return (index + 1) * self.update // self.create - index * self.update // self.create

    def deletes_after(self, index: int) -> int:
        """How many users are to be deleted once the user with this number is created."""
        return (index + 1) * self.delete // self.create - index * self.delete // self.create


CREATIONS = Mix()
ALL_KINDS = Mix(create=60, update=30, delete=10)


def mix_of(text: str) -> Mix:
    """The mix that is written like `create=60,update=30,delete=10`; what is not named is not sent.

    Raises:
        ValueError: it is no mix; says what is wrong.
    """
    kinds = [kind.name for kind in fields(Mix)]
    shares = dict.fromkeys(kinds, 0)
    given: set[str] = set()
    for part in text.split(","):
        name, _, share = part.partition("=")
        if name not in kinds:
            raise ValueError(f"{part!r} is no share like update=30. There are: {', '.join(kinds)}.")
        if name in given:
            raise ValueError(f"{name} is there twice. Name each kind once.")
        if not (share.isdecimal() and int(share) <= MOST_OF_A_KIND):
            raise ValueError(f"The share of {name} must be a whole number from 0 to {MOST_OF_A_KIND}.")
        given.add(name)
        shares[name] = int(share)
    if shares["create"] == 0:
        raise ValueError("create must be above 0: a proof changes only users of its own.")
    return Mix(**shares)


@dataclass(frozen=True, kw_only=True)
class Plan:
    """The commands, the faults and the limits of one proof."""

    #: How many are created. Updates and deletions come on top, as the mix says.
    users: int
    mix: Mix
    seed: str
    #: Decides the order of the faults, when they happen, and to which instance.
    random_seed: int
    faults: Sequence[Fault]
    connections: int
    #: How long to wait without any progress.
    patience_seconds: float
    ledger: Path
