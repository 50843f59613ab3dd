"""What is to be proved. Needs nothing of what carries it out."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

FAULTS = (
    "kill-instance",
    "kill-mongodb",
    "kill-postgres",
    "pause-instance",
    "pause-mongodb",
    "rolling-restart",
)

# Told what goes on: users acknowledged so far, and a few words.
Tell = Callable[[int, str], None]


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What is to be proved, and how. `patience` is how many seconds to wait where nothing goes on."""

    users: int
    seed: str
    #: Decides the order of the faults, their moments, and whom they strike.
    random_seed: int
    #: Some of `FAULTS`.
    faults: Sequence[str]
    connections: int
    patience: float
    ledger: Path
