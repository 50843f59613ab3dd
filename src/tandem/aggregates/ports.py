"""What the flow of an aggregate asks of its stores. There are real ones, and ones in memory for tests."""

from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from tandem.aggregates.definition import Happened
from tandem.aggregates.drafts import Draft
from tandem.aggregates.events import StoredEvent
from tandem.aggregates.messages import Outcome, Stored, UnreadableAggregate
from tandem.delivery.idempotency import Idempotency, Known
from tandem.delivery.pending import Claimed
from tandem.mongodb.generations import Generation, Projection


class CommandStore(Protocol):
    """Where aggregates of one kind are written, with their events and what is pending of them."""

    async def record(self, drafts: Sequence[Draft], incarnation: int) -> None:
        """Commit what was decided, all in one transaction, and note in each draft that was committed so.

        A draft whose aggregate has another version by now is left out.

        Raises:
            KeyTaken: an idempotency key was used already; `find_by_keys` says for what.
            HeldUp: some commands would have to wait for others' transactions; the rest may be carried out.
            Unavailable: it does not answer; whether it has committed may be unknown.
        """

    async def read(self, ids: Sequence[int]) -> Mapping[int, Stored | UnreadableAggregate]:
        """Aggregates as they are now, by id; one that is not there is missing."""

    async def find_by_keys(self, keys: Sequence[str]) -> Mapping[str, Known[Outcome]]:
        """What commands with these keys have led to; a key that was never used is missing."""

    async def keep_rejection(self, key: Idempotency, why: str) -> None:
        """Keep for good that the command with this key was rejected, unless the key stands for something.

        From then on `find_by_keys` answers a `Rejection` for it.
        """

    async def synchronize(self, versions: Sequence[tuple[int, int]], epoch: int = 0) -> None:
        """Record SYNCRONIZED for each id that is pending at this version or an earlier one.

        All stay pending where their documents were written under an earlier epoch of projections than is
        required by now.
        """

    async def set_aside(self, letters: Sequence[tuple[int, int, str]]) -> None:
        """Make dead letters of the ids that are pending at these versions, with the reasons."""

    async def not_synchronized(self, ids: Sequence[int]) -> set[int]:
        """Those of these that MongoDB has not acknowledged as they are now."""

    async def events(self, id_: int) -> Sequence[StoredEvent]:
        """All events of one, in order; none where there is no such aggregate."""

    async def ids(self, lookup: str, arguments: Sequence[Any], after: int) -> Sequence[int]:
        """Up to 1,000 ids above `after` that the lookup finds, ascending."""

    async def claim(self, incarnation: int, held: Sequence[int], most: int) -> Claimed[Stored]:
        """Take over pending work that nobody works on; see `delivery.pending.PendingWork`."""


class DocumentStore(Protocol):
    """Where readers find the aggregates of one kind; `mongodb.documents.Documents` is one.

    Both kinds of writes answer by id why one is refused for good, and may be repeated without harm. They
    write to one generation; None: to the live one.
    """

    @property
    def projection(self) -> Projection:
        """The generations that all documents have to be written to."""

    def write(
        self, documents: Sequence[dict[str, Any]], generation: Generation | None = None
    ) -> Awaitable[dict[int, str]]:
        """Write documents of which most are new."""

    def write_later_versions(
        self, documents: Sequence[dict[str, Any]], generation: Generation | None = None
    ) -> Awaitable[dict[int, str]]:
        """Write documents of which most replace an earlier version."""

    def find_by_ids(self, ids: Sequence[int]) -> Awaitable[dict[int, dict[str, Any]]]:
        """The documents of these ids, tombstones among them; what is not there is missing."""


class Others(Protocol):
    """The states of things that documents show and reactions ask for, whatever their kind."""

    async def exists(self, kind: str, id_: int) -> bool:
        """Whether there is one, not deleted. That costs far less than `find`."""

    async def find_one(self, kind: str, id_: int) -> Any | None:
        """The state of this one as it is now; None where there is none, or no more."""

    async def find(self, kind: str, ids: Sequence[int]) -> Mapping[int, Any]:
        """The states of these as they are now, by id; what is not there, or deleted, is missing."""


@dataclass(frozen=True)
class Stores:
    """Where the aggregates of one kind are written and read, and the states of what they show besides."""

    commands: CommandStore
    documents: DocumentStore
    others: Others


class Task(Protocol):
    """A reaction to one event, in the hands of this instance."""

    @property
    def name(self) -> str:
        """The reaction's."""

    @property
    def happened(self) -> Happened:
        """The event."""


class Tasks(Protocol):
    """Reactions that are still to be done, as a stored fact."""

    async def claim(self, incarnation: int, most: int) -> Sequence[Task]:
        """Take some that no living instance has, oldest first."""

    async def finish(self, task: Task, incarnation: int) -> None:
        """It is done."""

    async def put_off(self, task: Task, incarnation: int, seconds: float, error: str) -> None:
        """It failed: let it be claimed again after so long, and show why."""

    def let_go(self, task: Task) -> None:
        """Have it no more in hand, whatever became of it: if it is still to be done, it is claimed again."""
