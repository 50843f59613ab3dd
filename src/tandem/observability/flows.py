"""What an instance knows of the flow of one kind of aggregate, for metrics and health. Users are one kind."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from tandem.delivery.dead_letters import DeadLetterRows
from tandem.delivery.flow_state import FlowStates, Latest
from tandem.delivery.pending import PendingRows
from tandem.delivery.recovery import Recovery
from tandem.kernel import Coalescer
from tandem.user_command.counters import StageCounters
from tandem.user_query.witness import Witness


@dataclass(frozen=True, kw_only=True)
class ObservedFlow:
    """The flow of one kind."""

    #: As in tables: "user".
    kind: str
    #: As people and the command line say: "users".
    plural: str
    committed: StageCounters
    #: How many documents MongoDB has acknowledged.
    projected: Callable[[], int]
    #: Gathers what becomes dead letters.
    set_aside: Coalescer[Any, Any]
    recovery: Recovery[Any]
    #: What all instances together have left to do.
    states: FlowStates
    pending: PendingRows[Any]
    dead_letters: DeadLetterRows
    #: Why this instance's last write to MongoDB failed; empty after one that did not.
    trouble: Callable[[], str]
    witness: Witness

    @property
    def stages(self) -> Mapping[str, int]:
        """How many have passed each stage here."""
        return {
            "stored": self.committed.created,
            "updated": self.committed.updated,
            "deleted": self.committed.deleted,
            "projected": self.projected(),
            "synchronized": self.committed.synchronized,
            "set_aside": self.set_aside.counters.items,
        }


class ReactionsLeft(Protocol):
    """The reactions that all instances together have left to do."""

    @property
    def pending(self) -> int:
        """How many, to 100,000."""

    @property
    def oldest_seconds(self) -> float:
        """For how long the oldest of them has waited."""

    @property
    def failing(self) -> str | None:
        """One that has failed at least three times, and why; None: none has."""


@dataclass(frozen=True, kw_only=True)
class ObservedReactions:
    """The reactions of installed aggregates."""

    #: How many this instance has carried out.
    done: Callable[[], int]
    left: Latest[ReactionsLeft]
