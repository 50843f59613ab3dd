"""Stores in memory that keep the promises of `aggregates.ports`, as PostgreSQL and MongoDB do.

What is written goes through JSON and BSON, so that what comes back is what databases would give.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import bson
import msgspec
from bson.raw_bson import RawBSONDocument

from tandem.aggregates.definition import SYNCHRONIZED, Aggregate, Happened
from tandem.aggregates.documents import is_somebody_elses
from tandem.aggregates.drafts import Change, Draft
from tandem.aggregates.events import StoredEvent, data_of, state_after
from tandem.aggregates.messages import Outcome, Stored, UnreadableAggregate
from tandem.delivery.idempotency import Idempotency, KeyTaken, Known, keys_of
from tandem.delivery.pending import Claimed
from tandem.delivery.rejections import Rejection
from tandem.mongodb.client import LENIENT, UNSENDABLE
from tandem.mongodb.document import Document, version_of
from tandem.mongodb.generations import Generation, Projection
from tandem.mongodb.identity import conflict, fingerprint_of
from tandem.testing.checks import checked_event, checked_state
from tandem.testing.tasks import MemoryTasks
from tandem.user.stored import uptime

APP_ID = "memory"
# A lookup answers so many ids at a time.
PAGE = 1_000


class MemoryCommandStore:
    """See `ports.CommandStore`.

    Args:
        aggregate: the kind.
        ids: gives new ids.
        tasks: where reactions are written, in one step with the events that they follow from.
    """

    def __init__(self, aggregate: Aggregate[Any], ids: Iterator[int], tasks: MemoryTasks) -> None:
        self._aggregate = aggregate
        self._ids = ids
        self._tasks = tasks
        # The state of each is JSON.
        self._rows: dict[int, Stored] = {}
        # Fingerprint, id and version of the command that had a key first.
        self._keys: dict[str, tuple[bytes, int, int]] = {}
        # The keys of commands that were rejected for good, each with why.
        self._rejections: dict[str, str] = {}
        #: The events of each, by its id.
        self.log: dict[int, list[StoredEvent]] = {}
        #: By id: the version that MongoDB shall have, and the life of an instance that has the work.
        self.pending: dict[int, tuple[int, int]] = {}
        #: By id: the version that MongoDB has refused, and why.
        self.dead_letters: dict[int, tuple[int, str]] = {}

    async def record(self, drafts: Sequence[Draft], incarnation: int) -> None:
        """See `ports.CommandStore`.

        Raises:
            AssertionError: an event or a state cannot be stored; says what to do.
        """
        written = [one for one in drafts if one.is_changed and self._version(one.id) == one.read_version]
        with_keys = [one for one in drafts if one in written or not one.is_changed]
        keys = keys_of([sent for draft in with_keys for sent, _ in draft.accepted])
        if len(set(keys)) < len(keys) or set(keys) & (self._keys.keys() | self._rejections.keys()):
            raise KeyTaken
        for draft in written:
            self._require_storable(draft)  # before the first is written
        at = datetime.now(UTC)
        for draft in written:
            self._write(draft, incarnation, at)
        for draft in with_keys:
            for sent, version in draft.accepted:
                if sent.idempotency is not None and draft.id is not None:
                    self._keys[sent.idempotency.key] = (sent.idempotency.fingerprint, draft.id, version)

    def _version(self, id_: int | None) -> int:
        return self._rows[id_].version if id_ in self._rows else 0

    def _require_storable(self, draft: Draft) -> None:
        for change in draft.changes:
            if change.event is not None:
                checked_event(self._aggregate, change.event)
        if draft.state is not None:
            checked_state(self._aggregate, draft.state)

    def _write(self, draft: Draft, incarnation: int, at: datetime) -> None:
        draft.committed_at = at
        if draft.id is None:
            draft.id, draft.app_id = next(self._ids), APP_ID
        state = None if draft.state is None else data_of(draft.state)
        self._rows[draft.id] = msgspec.structs.replace(draft.stored(), state=state, is_new=False)
        self.pending[draft.id] = (draft.version, incarnation)
        self.dead_letters.pop(draft.id, None)
        for change in draft.changes:
            self._log(draft.id, change, at)
            columns = (self._aggregate.name, draft.id, change.version, change.event_type, change.event)
            self._tasks.note(Happened(*columns, draft.seed), incarnation)

    def _log(self, id_: int, change: Change, at: datetime) -> None:
        columns = (change.version, change.event_type, self._aggregate.format, change.data)
        event = StoredEvent(*columns, self._rows[id_].seed, APP_ID, at, change.cause)
        self.log.setdefault(id_, []).append(event)

    async def read(self, ids: Sequence[int]) -> Mapping[int, Stored | UnreadableAggregate]:
        """See `ports.CommandStore`."""
        return {id_: self._read(id_) for id_ in ids if id_ in self._rows}

    def _read(self, id_: int) -> Stored:
        return msgspec.structs.replace(self._rows[id_], state=self.state(id_), read_at=uptime())

    def state(self, id_: int) -> Any | None:
        """The state of this one as it is now; None where there is none, or no more."""
        state = self._rows[id_].state if id_ in self._rows else None
        return None if state is None else msgspec.json.decode(state, type=self._aggregate.state)

    async def keep_rejection(self, key: Idempotency, why: str) -> None:
        """See `ports.CommandStore`."""
        if key.key not in self._keys:
            self._rejections.setdefault(key.key, why)

    async def find_by_keys(self, keys: Sequence[str]) -> dict[str, Known[Outcome]]:
        """See `ports.CommandStore`."""
        rejected = self._rejections.keys() & set(keys)
        known: dict[str, Known[Outcome]] = {
            key: Known(b"", Rejection(self._rejections[key])) for key in rejected
        }
        for key in self._keys.keys() & set(keys):
            fingerprint, id_, version = self._keys[key]
            events = [one for one in self.log[id_] if one.is_change and one.version <= version]
            state = state_after(self._aggregate, events)
            at = events[-1].created_at if version > 1 else None
            then = msgspec.structs.replace(self._rows[id_], version=version, state=state, updated_at=at)
            known[key] = Known(fingerprint, Outcome(then))
        return known

    async def synchronize(self, versions: Sequence[tuple[int, int]], epoch: int = 0) -> None:
        """See `ports.CommandStore`. Nothing is rebuilt here, so any epoch will do."""
        del epoch
        for id_, version in versions:
            if id_ in self.pending and self.pending[id_][0] <= version:
                del self.pending[id_]
                change = Change(self._rows[id_].version, SYNCHRONIZED, None, None, None)
                self._log(id_, change, datetime.now(UTC))

    async def set_aside(self, letters: Sequence[tuple[int, int, str]]) -> None:
        """See `ports.CommandStore`."""
        for id_, version, why in letters:
            if id_ in self.pending and self.pending[id_][0] == version:
                del self.pending[id_]
                self.dead_letters[id_] = (version, why)

    async def not_synchronized(self, ids: Sequence[int]) -> set[int]:
        """See `ports.CommandStore`."""
        return set(ids) & (self.pending.keys() | self.dead_letters.keys())

    async def events(self, id_: int) -> Sequence[StoredEvent]:
        """See `ports.CommandStore`."""
        return list(self.log.get(id_, ()))

    async def ids(self, lookup: str, arguments: Sequence[Any], after: int) -> list[int]:
        """See `ports.CommandStore`. The condition in Python is asked about every state."""
        matches = self._aggregate.lookups[lookup]
        later = [id_ for id_ in sorted(self._rows) if id_ > after]
        states = ((id_, self.state(id_)) for id_ in later)
        return [id_ for id_, state in states if state is not None and matches(state, *arguments)][:PAGE]

    async def claim(self, incarnation: int, held: Sequence[int], most: int) -> Claimed[Stored]:
        """See `ports.CommandStore`."""
        idle = [
            id_
            for id_, (_, whose) in sorted(self.pending.items())
            if (id_ not in held if whose == incarnation else whose not in self._tasks.lives)
        ][:most]
        for id_ in idle:
            self.pending[id_] = (self.pending[id_][0], incarnation)
        return Claimed([self._read(id_) for id_ in idle])


class MemoryDocumentStore:
    """See `ports.DocumentStore`. `what` the documents are of: the word for one. They have one `shape`."""

    def __init__(self, what: str, shape: int = 1) -> None:
        self._what = what
        self.projection = Projection(live=Generation(shape=shape))
        self._documents: dict[int, Document] = {}

    async def write(
        self, documents: Sequence[Document], generation: Generation | None = None
    ) -> dict[int, str]:
        """See `ports.DocumentStore`."""
        del generation
        why = {document["_id"]: self._write(document) for document in documents}
        return {id_: reason for id_, reason in why.items() if reason is not None}

    async def write_later_versions(
        self, documents: Sequence[Document], generation: Generation | None = None
    ) -> dict[int, str]:
        """See `ports.DocumentStore`."""
        return await self.write(documents, generation)

    def _write(self, document: Document) -> str | None:
        """Write it unless a later version is there; why not, if it never can be."""
        id_ = document["_id"]
        stored = self._documents.get(id_)
        if stored is not None and is_somebody_elses(stored, document):
            return conflict(self._what, id_, fingerprint_of(RawBSONDocument(bson.encode(stored))))
        try:
            sent = bson.decode(bson.encode(document), LENIENT)
        except UNSENDABLE as error:
            return f"{type(error).__name__}: it cannot be sent to MongoDB as it is."
        if stored is None or version_of(stored) < version_of(sent):
            self._documents[id_] = sent
        return None

    async def find_by_ids(self, ids: Sequence[int]) -> dict[int, Document]:
        """See `ports.DocumentStore`."""
        return {id_: found for id_ in ids if (found := self.find(id_)) is not None}

    def find(self, id_: int) -> Document | None:
        """The document or tombstone of this id."""
        stored = self._documents.get(id_)
        return None if stored is None else dict(stored)
