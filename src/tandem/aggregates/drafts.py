"""What the commands of a batch make of an aggregate: decided one after the other, written as one row."""

from datetime import datetime
from typing import Any

import msgspec

from tandem.aggregates.definition import REFRESHED, Aggregate
from tandem.aggregates.events import data_of
from tandem.aggregates.messages import (
    Outcome,
    Refresh,
    Sent,
    Stored,
    UnreadableAggregate,
)
from tandem.delivery.contest import Overtaken
from tandem.delivery.rejections import Gone, OtherVersion, Rejection, Unknown


class Change(msgspec.Struct, frozen=True):
    """One event of a draft, and the version that it leads to."""

    version: int
    event_type: str
    data: str | None
    traceparent: str | None
    cause: str | None
    #: None for one of the flow itself.
    event: Any = None


class Decided(msgspec.Struct, frozen=True):
    """What a command has led to: version and state then, and whether the command changed anything."""

    version: int
    state: Any
    is_changed: bool
    traceparent: str | None


class Draft:
    """One aggregate, and what the commands of a batch make of it."""

    def __init__(
        self, aggregate: Aggregate[Any], id_: int | None, found: Stored | UnreadableAggregate | None
    ) -> None:
        """`found` is the aggregate as it was read; None: there is none. An `id_` of None will create one."""
        self.aggregate = aggregate
        #: None until it is committed, where it is new.
        self.id = id_
        self.found = found if isinstance(found, Stored) else None
        self.seed = self.found.seed if self.found else ""
        self.changes: list[Change] = []
        #: The commands that were accepted, with the version that each has led to.
        self.accepted: list[tuple[Sent, int]] = []
        self.state = self.found.state if self.found else None
        self.version = self.read_version
        #: When the changes were committed; None: they were not.
        self.committed_at: datetime | None = None
        #: The instance that created the aggregate.
        self.app_id = self.found.app_id if self.found else ""
        self._unreadable = found if isinstance(found, UnreadableAggregate) else None

    @property
    def read_version(self) -> int:
        """The version that was read; 0: the aggregate is new."""
        return self.found.version if self.found else 0

    @property
    def is_changed(self) -> bool:
        """Whether there is anything to write but keys."""
        return bool(self.changes)

    @property
    def needs_writing(self) -> bool:
        """Whether there is anything to write: changes, or keys of commands that changed nothing."""
        return self.is_changed or any(sent.idempotency for sent, _ in self.accepted)

    def decide(self, sent: Sent) -> Decided | Exception:
        """What follows from the next command, or why it cannot be carried out."""
        try:
            events = self._events_of(sent)
        except (Rejection, UnreadableAggregate) as rejection:
            return rejection
        if self.read_version == 0:
            self.seed = sent.seed
        for event in events:
            self.version += 1
            if isinstance(event, Refresh):
                self._note(sent, REFRESHED)
            else:
                self.state = self.aggregate.evolve(self.state, event)
                self._note(sent, type(event).__name__, event)
        self.accepted.append((sent, self.version))
        return Decided(self.version, self.state, bool(events), sent.traceparent)

    def _events_of(self, sent: Sent) -> list[Any]:
        kind = self.aggregate.name
        if self._unreadable is not None:
            raise UnreadableAggregate(kind, self.id or 0, self._unreadable.why)
        if sent.id is not None:
            if self.found is None:
                raise Unknown(kind)
            if self.state is None:
                raise Gone(kind)
            if sent.expected is not None and self.version not in sent.expected:
                raise OtherVersion(kind, self.version)
        if isinstance(sent.command, Refresh):
            return [sent.command]
        events = list(self.aggregate.decide(sent.command, self.state))
        if sent.id is None and not events:
            msg = f"decide has to answer {type(sent.command).__name__} with an event: it creates a {kind}."
            raise ValueError(msg)
        return events

    def _note(self, sent: Sent, event_type: str, event: Any = None) -> None:
        data = None if event is None else data_of(event)
        self.changes.append(Change(self.version, event_type, data, sent.traceparent, sent.cause, event))

    def outcome(self, decided: Decided | Exception) -> Outcome | Exception:
        """What a command gets that `decide` answered with `decided`, once it is known what was committed."""
        if self.is_changed and self.committed_at is None:
            return Overtaken()
        if isinstance(decided, Exception):
            return decided
        return Outcome(self.stored(decided), decided.is_changed)

    def stored(self, decided: Decided | None = None) -> Stored:
        """The aggregate as it is after a command, or after all of them. To be asked once it is committed."""
        found, at = self.found, self.committed_at
        version, state = (decided.version, decided.state) if decided else (self.version, self.state)
        created_at = found.created_at if found else at
        assert created_at is not None and self.id is not None  # noqa: S101, PT018 - narrows: it is committed
        return Stored(
            self.id,
            self.seed,
            self.app_id,
            version,
            created_at,
            state,
            updated_at=at if found and version > found.version else (found.updated_at if found else None),
            traceparent=decided.traceparent if decided else self.changes[-1].traceparent,
            is_new=found is None,
        )
