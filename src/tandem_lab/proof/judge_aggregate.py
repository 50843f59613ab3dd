"""What is wrong with one aggregate, by what the ledger, PostgreSQL and MongoDB say of it.

What a command makes of a state, and an event too, the aggregate's own code says. All else is folded and
compared here, by a few lines that share nothing with the service.
"""

from collections.abc import Container, Iterator, Mapping, Sequence
from typing import Any

import bson
import msgspec

from tandem.aggregates import Aggregate
from tandem.aggregates.definition import REFRESHED, SYNCHRONIZED
from tandem.aggregates.documents import OWN_FIELDS
from tandem.mongodb.document import Document, is_tombstone
from tandem_lab.proof.ledger import Acknowledged, content_hash
from tandem_lab.proof.verdict import Failure

Json = Any
#: What a command makes: the names of events, and their data.
Made = Sequence[tuple[str, Json]]
DELETED = "DELETED"


class Sent(msgspec.Struct, frozen=True, gc=False):
    """What the ledger says of a command; see `Acknowledged`."""

    command: str
    #: As JSON.
    body: bytes
    version: int
    expected: int
    rejected: int


class AggregatePromise(msgspec.Struct, gc=False):
    """What the ledger says of an aggregate: the commands on it, its creation first."""

    sent: tuple[Sent, ...] = ()
    #: Whether it turned out to be deleted, by a command or by a reaction.
    is_deleted: bool = False

    def add(self, entry: Acknowledged) -> None:
        """Note a command."""
        body = msgspec.json.encode(entry.body)
        self.sent += (Sent(entry.command, body, entry.version, entry.expected, entry.rejected),)


class Event(msgspec.Struct, frozen=True, array_like=True):
    """An event in PostgreSQL, as `aggregates_of_run.sql` returns it."""

    version: int
    type: str
    data: Json
    cause: str | None


class AggregateRow(msgspec.Struct, frozen=True):
    """An aggregate in PostgreSQL, and what its document has to show besides."""

    id: int
    version: int
    status: str
    pending: bool
    dead: bool
    #: What the rows make, and the events in the order of their versions; as JSON.
    state: str | None
    events: str
    #: By name: the related things as PostgreSQL has them now, and how often each has changed.
    related: Mapping[str, Any] = {}
    changes: Mapping[str, int] = {}

    @property
    def is_on_the_way(self) -> bool:
        """Whether PostgreSQL knows that MongoDB does not have the last version."""
        return self.pending or self.dead

    @property
    def is_synchronized(self) -> bool:
        """Whether PostgreSQL says that MongoDB has the last version."""
        return self.status in (SYNCHRONIZED, DELETED) and not self.is_on_the_way

    @property
    def is_a_clients(self) -> bool:
        """Whether no reaction has created it."""
        return all(event.cause is None for event in msgspec.json.decode(self.events, type=list[Event])[:1])


class Unfoldable(Exception):
    """An event cannot be read, or does not follow from the one before."""


class Story:
    """What has happened to an aggregate. Its states are there once it is folded."""

    def __init__(self, aggregate: Aggregate[Any], events: str) -> None:
        self._aggregate = aggregate
        self._commands = {command.__name__: command for command in aggregate.all_commands}
        found = msgspec.json.decode(events, type=list[Event])
        self.events = [event for event in found if event.type != SYNCHRONIZED]
        self.acknowledged = [event.version for event in found if event.type == SYNCHRONIZED]
        self.numbers = [event.version for event in self.events]
        #: The state before the first event, and after each.
        self.states: list[Any] = [None]

    def fold(self) -> None:
        """Make the states of the events.

        Raises:
            Unfoldable: they make none.
        """
        if self.numbers != list(range(1, len(self.numbers) + 1)):
            raise Unfoldable
        types = self._aggregate.event_types
        try:
            for event in self.events:
                state = self.states[-1]
                if event.type != REFRESHED:
                    state = self._aggregate.evolve(state, msgspec.convert(event.data, types[event.type]))
                self.states.append(state)
        except Exception as error:  # the author's code is called with what should never be
            raise Unfoldable from error

    @property
    def is_gone(self) -> bool:
        """Whether it is deleted. Without any event it is not."""
        return len(self.states) > 1 and self.states[-1] is None

    @property
    def is_doubled(self) -> bool:
        """Whether a version is there twice, or was acknowledged twice."""
        return any(len(set(each)) < len(each) for each in (self.numbers, self.acknowledged))

    def made_by(self, sent: Sent, version: int) -> Made | None:
        """What a command makes of this version; None: it cannot be carried out then."""
        kind, state = self._commands[sent.command], self.states[version]
        if (kind is self._aggregate.creates) != (version == 0) or (version > 0 and state is None):
            return None
        try:
            return made_of(self._aggregate, msgspec.json.decode(sent.body, type=kind), state)
        except Exception:  # a rejection, or the author's code is called with what should never be
            return None

    def steps_to(self, sent: Sent, taken: Container[int]) -> int | None:
        """How many events before its version are exactly what a command makes; None: it has not led to it.

        0 if it has changed nothing. Events that others have led to are none of these.
        """
        fits = 0 if self._leads(sent, sent.version, 0) else None
        for steps in range(1, sent.version + 1):
            event = self.events[sent.version - steps]
            if event.cause is not None or event.version in taken:
                break
            if self._leads(sent, sent.version - steps, steps):
                return steps
        return fits

    def _leads(self, sent: Sent, start: int, steps: int) -> bool:
        after = [(event.type, event.data) for event in self.events[start : start + steps]]
        return sent.expected in (0, start) and self.made_by(sent, start) == after

    def begins(self, sent: Sent, version: int) -> bool:
        """Whether the event of this version is the first that a command would make of the version before."""
        event, made = self.events[version - 1], self.made_by(sent, version - 1)
        return made is not None and list(made[:1]) == [(event.type, event.data)]


def made_of(aggregate: Aggregate[Any], command: Any, state: Any) -> Made:
    """The events that follow from a command, as they are stored."""
    return [(type(event).__name__, plain(event)) for event in aggregate.decide(command, state)]


def plain(value: Any) -> Json:
    """A value as JSON has it."""
    return msgspec.json.decode(msgspec.json.encode(value))


class AggregateJudge:
    """Judges aggregates of one kind. `creations` are hashes of what acknowledged commands have created."""

    def __init__(self, aggregate: Aggregate[Any], creations: Container[bytes]) -> None:
        self._aggregate = aggregate
        self._creations = creations

    def judge(
        self, promise: AggregatePromise | None, row: AggregateRow | None, document: Document | None
    ) -> Iterator[Failure]:
        """What is wrong with one; lost commands and surplus versions each by itself."""
        if row is None:
            yield Failure.LOST if promise else Failure.DOUBLED
            return
        story = Story(self._aggregate, row.events)
        if story.is_doubled:
            yield Failure.DOUBLED
            return
        try:
            story.fold()
        except Unfoldable:
            yield Failure.DIFFERING
        else:
            yield from self._judge(promise, story, row, document)

    def _judge(
        self, promise: AggregatePromise | None, story: Story, row: AggregateRow, document: Document | None
    ) -> Iterator[Failure]:
        if promise is not None:
            promise.is_deleted = story.is_gone
            yield from _commands(story, promise.sent)
        elif row.is_a_clients:
            created = content_hash([(event.type, event.data) for event in story.events if not event.cause])
            yield Failure.DOUBLED if created in self._creations else Failure.UNACKNOWLEDGED
        if self._refreshed_too_often(story, row):
            yield Failure.DOUBLED
        if document is None and not (row.is_on_the_way or story.is_gone):
            yield Failure.LOST
        if _is_resurrected(story, row, document):
            yield Failure.RESURRECTED
        elif not (
            self._rows_keep(story, row)
            and _is_finished(story, row)
            and (document is None or row.is_on_the_way or self._document_keeps(story, row, document))
        ):
            yield Failure.DIFFERING

    def _refreshed_too_often(self, story: Story, row: AggregateRow) -> bool:
        """Whether its document was written anew more often than what it shows besides has changed."""
        for name, changes in row.changes.items():
            cause = f"{self._aggregate.name}/show-{name}"
            times = sum((event.type, event.cause) == (REFRESHED, cause) for event in story.events)
            if times > changes:
                return True
        return False

    def _rows_keep(self, story: Story, row: AggregateRow) -> bool:
        """Whether the rows are what the events make."""
        if story.numbers[-1:] != [row.version] or not set(story.acknowledged) <= set(story.numbers):
            return False
        if story.is_gone:
            return True
        state = state_of(self._aggregate, row.state)
        return state is not None and plain(state) == plain(story.states[-1])

    def _document_keeps(self, story: Story, row: AggregateRow, document: Document) -> bool:
        """Whether the document is the last version, and shows all as it is now."""
        if document.get("version") != row.version:
            return False
        if story.is_gone:
            return is_tombstone(document) and document.get("currentStatus") == DELETED
        try:
            wanted = self._aggregate.document(story.states[-1], row.related)
            wanted = bson.decode(bson.encode(wanted))
        except Exception:  # the author's code is called with what should never be
            return False
        shown = {name: value for name, value in document.items() if name not in OWN_FIELDS}
        return document.get("currentStatus") == SYNCHRONIZED and shown == wanted


def state_of(aggregate: Aggregate[Any], state: str | None) -> Any | None:
    """The state that the rows make; None: they make none."""
    try:
        return None if state is None else msgspec.json.decode(state, type=aggregate.state)
    except msgspec.MsgspecError:
        return None


def _commands(story: Story, sent: Sequence[Sent]) -> Iterator[Failure]:
    """Compare what was sent with each version that no reaction has led to.

    One command has led to it. Others may have been answered with the same one if they change nothing of it.
    """
    acknowledged = [one for one in sent if not one.rejected]
    taken: set[int] = set()
    # Of those with the same version, who would still change something of it comes first.
    for one in sorted(acknowledged, key=lambda one: (one.version, _changes(story, one) == [])):
        steps = story.steps_to(one, taken) if one.version <= len(story.events) else None
        if steps is None:
            yield Failure.LOST
        else:
            taken |= set(range(one.version - steps + 1, one.version + 1))
    for event in story.events:
        if event.cause is not None or event.version in taken:
            continue
        # What was rejected may have been carried out by an earlier try: acknowledged commands come first.
        by_whom = [
            one for one in sorted(sent, key=lambda one: one.rejected) if story.begins(one, event.version)
        ]
        if not by_whom:
            yield Failure.UNACKNOWLEDGED
        elif not by_whom[0].rejected:
            yield Failure.DOUBLED
        else:
            made = story.made_by(by_whom[0], event.version - 1) or ()
            taken |= set(range(event.version, event.version + len(made)))


def _changes(story: Story, sent: Sent) -> Made | None:
    return story.made_by(sent, sent.version) if sent.version <= len(story.events) else None


def _is_resurrected(story: Story, row: AggregateRow, document: Document | None) -> bool:
    """Whether somebody lives in the events, the rows or the document who was deleted."""
    if None in story.states[1:-1]:
        return True
    is_shown = document is not None and not is_tombstone(document) and not row.is_on_the_way
    return story.is_gone and (row.status != DELETED or is_shown)


def _is_finished(story: Story, row: AggregateRow) -> bool:
    """Whether MongoDB has acknowledged the last version, or PostgreSQL knows that it has not."""
    status = DELETED if story.is_gone else SYNCHRONIZED
    return row.is_on_the_way or (row.status == status and row.version in story.acknowledged)
