"""The flow of one kind of aggregate through this process: decided, committed, shown, acknowledged.

The steps are those of users. A command is decided and committed with its event and its pending row; the
document is written; that MongoDB has it is recorded. Each step is a coalescer: what arrives while a batch is
under way forms the next one. What is committed goes on in another instance if this one dies.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any

import msgspec

from tandem.aggregates.definition import Aggregate
from tandem.aggregates.documents import shown_or_why
from tandem.aggregates.drafts import Draft
from tandem.aggregates.messages import Acknowledged, Outcome, Refused, Sent, Stored
from tandem.aggregates.ports import Stores
from tandem.delivery.acknowledgements import Acknowledgements
from tandem.delivery.contest import until_settled
from tandem.delivery.idempotency import once_each
from tandem.delivery.pending import Unreadable
from tandem.delivery.rejections import Rejection
from tandem.kernel import Backoff, BatchPolicy, Coalescer, Unavailable
from tandem.mongodb.document import Document
from tandem.mongodb.generations import Generation
from tandem.user.stored import uptime
from tandem.user_query.service import LONGEST_WAY_SECONDS, READS, of_version

logger = logging.getLogger(__name__)

# Nobody waits for these: fewer and larger batches cost less, and a lag of some milliseconds.
PROJECTION_INTERVAL = timedelta(milliseconds=20)
WRITE_BACK_INTERVAL = timedelta(milliseconds=10)


class FlowPolicy(msgspec.Struct, frozen=True):
    """How much may be gathered and waiting, and how far batches that nobody waits for are kept apart."""

    max_batch: int = 500
    max_waiting_commands: int = 10_000
    max_in_projection: int = 20_000
    projection_interval: timedelta = PROJECTION_INTERVAL
    write_back_interval: timedelta = WRITE_BACK_INTERVAL


class AggregateFlow:
    """The way of one kind of aggregate.

    Args:
        aggregate: the kind.
        stores: where it is written and read.
        incarnation: answers which life of this instance has the work.
        policy: bounds.
    """

    def __init__(
        self,
        aggregate: Aggregate[Any],
        stores: Stores,
        incarnation: Callable[[], int],
        policy: FlowPolicy | None = None,
    ) -> None:
        policy = policy or FlowPolicy()
        self.aggregate = aggregate
        self.store = stores.commands
        self._documents = stores.documents
        self._others = stores.others
        self._incarnation = incarnation
        #: Documents that MongoDB has acknowledged since this instance began.
        self.projected = 0
        #: What kept the last batch of documents from being written; empty after one that was.
        self.trouble = ""
        #: Told of what was committed here, and by which life of this instance. They must not raise.
        self.observers: list[Callable[[Sequence[Draft], int], None]] = []
        name = aggregate.name
        deciding = BatchPolicy(policy.max_batch, policy.max_waiting_commands, max_in_flight=2)
        on_their_way = BatchPolicy(policy.max_batch, policy.max_in_projection, retry=Backoff())
        # Up to two at a time: one may have to wait for another client's transaction with the same key.
        self.creates = Coalescer(f"create {name}", self._carry_out, deciding)
        # One at a time: what arrives meanwhile is decided together, and no batch overtakes another of ours.
        self.changes = Coalescer(
            f"change {name}", self._carry_out, msgspec.structs.replace(deciding, max_in_flight=1)
        )
        self.projection = Coalescer(
            f"show {name}",
            self._project,
            msgspec.structs.replace(on_their_way, min_interval=policy.projection_interval),
        )
        self.write_back = Coalescer(
            f"synchronize {name}",
            self._synchronize,
            msgspec.structs.replace(on_their_way, min_interval=policy.write_back_interval),
        )
        self.set_aside = Coalescer(f"set aside {name}", self._set_aside, on_their_way)
        self._by_id = Coalescer(f"read {name} by id", self._read_by_ids, READS)
        self._current = Coalescer(f"read {name} in PostgreSQL", self._read_current, READS)
        self.acknowledgements = Acknowledgements(
            f"look for acknowledgements of {name}", self.store.not_synchronized
        )

    @property
    def steps(self) -> list[Coalescer[Any, Any]]:
        """Those that the flow passes, in its order. Each of their items has a `traceparent`, or None."""
        return [self.creates, self.changes, self.projection, self.write_back, self.set_aside]

    @property
    def coalescers(self) -> list[Coalescer[Any, Any]]:
        """All of them, those of the reads as well."""
        return [*self.steps, self._by_id, self._current, *self.acknowledgements.coalescers]

    async def execute(self, sent: Sent) -> Outcome:
        """Carry out a command, and answer once it is committed.

        Raises:
            Rejection: it cannot be carried out.
            KeyReused, StillOpen, Overtaken, UnreadableAggregate: see there.
            Unavailable, Overloaded: as everywhere.
        """
        lane = self.creates if sent.id is None else self.changes
        outcome: Outcome = await until_settled(lambda: lane.submit(sent))
        return outcome

    async def rejected_for_good(self, sent: Sent, rejection: Rejection) -> Outcome:
        """Keep that this command was rejected, which has a key; what the key stands for then.

        Whoever sends it again gets the same answer, whatever has changed meanwhile. If somebody else has
        carried it out in between, that is the answer.

        Raises:
            Rejection: it is rejected.
            Unavailable: as everywhere. Doing it again is harmless.
        """
        assert sent.idempotency is not None  # noqa: S101 - narrows the type
        await self.store.keep_rejection(sent.idempotency, str(rejection))
        known = await self.store.find_by_keys([sent.idempotency.key])
        result = known[sent.idempotency.key].result
        if isinstance(result, Exception):
            raise result from rejection
        return replay(result)

    async def find(self, id_: int) -> Document | None:
        """MongoDB's document or tombstone of this id.

        Raises:
            Unavailable, Overloaded: as everywhere.
        """
        return await self._by_id.submit(id_)

    async def version_in_mongodb(self, id_: int, version: int, within_seconds: float) -> Document | None:
        """The document or tombstone of this version or a later one, once MongoDB has it; None: not by then.

        Where MongoDB does not answer, that is no error: PostgreSQL knows more.

        Raises:
            Overloaded: too many reads are waiting.
        """
        return await of_version(lambda: self._by_id.submit(id_), version, within_seconds)

    async def version_in_postgresql(self, id_: int, version: int) -> Document | None:
        """The same, made of what PostgreSQL has, with the same content.

        Raises:
            UnreadableAggregate: its rows cannot be read.
            Unavailable, Overloaded: as everywhere.
        """
        stored = await self.current(id_)
        if stored is None or stored.version < version:
            return None
        shown = (await self.shown([stored]))[0]
        return None if isinstance(shown, str) else shown

    async def current(self, id_: int) -> Stored | None:
        """The aggregate as PostgreSQL has it now.

        Raises:
            UnreadableAggregate: its rows cannot be read.
            Unavailable, Overloaded: as everywhere.
        """
        return await self._current.submit(id_)

    async def shown(
        self, aggregates: Sequence[Stored], generations: Sequence[Generation] = ()
    ) -> Sequence[Document | str]:
        """The documents of these; of one that its author's code cannot show, why.

        They are for the live generation, or, one after the other, for each of these generations.
        """
        related = await self._related(aggregates)
        return [
            shown_or_why(self.aggregate, stored, found, generation.shape)
            for generation in generations or [self._documents.projection.live]
            for stored, found in zip(aggregates, related, strict=True)
        ]

    async def _carry_out(self, sent: Sequence[Sent]) -> Sequence[Outcome | Exception]:
        return await once_each(sent, self._carry_out_new, self.store.find_by_keys, replay)

    async def _carry_out_new(self, sent: Sequence[Sent]) -> Sequence[Outcome | Exception]:
        ids = sorted({one.id for one in sent if one.id is not None})
        found = await self.store.read(ids) if ids else {}
        there = {id_: Draft(self.aggregate, id_, found.get(id_)) for id_ in ids}
        drafts = [Draft(self.aggregate, None, None) if one.id is None else there[one.id] for one in sent]
        decided = [draft.decide(one) for draft, one in zip(drafts, sent, strict=True)]
        to_write = [draft for draft in dict.fromkeys(drafts) if draft.needs_writing]
        if to_write:
            incarnation = self._incarnation()
            await self.store.record(to_write, incarnation)
            committed = [draft for draft in to_write if draft.is_changed and draft.committed_at]
            self._announce(committed, incarnation)
        return [draft.outcome(one) for draft, one in zip(drafts, decided, strict=True)]

    def _announce(self, committed: Sequence[Draft], incarnation: int) -> None:
        """Send what was committed on its way. What there is no room for, recovery finds."""
        for draft in committed:
            self.projection.offer(draft.stored())
        for observe in self.observers:
            observe(committed, incarnation)

    async def _project(self, aggregates: Sequence[Stored]) -> Sequence[None]:
        """Write documents, of several versions of one only the latest, and say what became of them."""
        # What is older stays pending, and recovery reads it again: no tombstone may have gone before it
        # comes.
        oldest = uptime() - LONGEST_WAY_SECONDS
        fresh = sorted((one for one in aggregates if one.read_at > oldest), key=lambda one: one.version)
        latest = list({one.id: one for one in fresh}.values())
        # As it is now for the whole batch: a later one may have a further generation.
        projection = self._documents.projection
        try:
            refused = await self._write(latest, projection.written) if latest else {}
        except Unavailable as error:
            self.trouble = str(error)
            raise
        self.trouble = ""
        self.projected += len(latest) - len(refused)
        for one in latest:
            if one.id in refused:
                self.set_aside.offer(Refused(one.id, one.version, refused[one.id], one.traceparent))
            else:
                acknowledged = Acknowledged(one.id, one.version, one.seed, one.traceparent, projection.epoch)
                self.write_back.offer(acknowledged)
        return [None] * len(aggregates)

    async def _write(self, aggregates: Sequence[Stored], generations: Sequence[Generation]) -> dict[int, str]:
        """Write the documents of these to each generation. By id, why one is refused for good."""
        refused: dict[int, str] = {}
        shown = iter(await self.shown(aggregates, generations))
        for generation in generations:
            new: list[Document] = []
            later: list[Document] = []
            for stored in aggregates:
                document = next(shown)
                if isinstance(document, str):
                    refused[stored.id] = document
                else:
                    (new if stored.is_new else later).append(document)
            if new:
                refused |= await self._documents.write(new, generation)
            if later:
                refused |= await self._documents.write_later_versions(later, generation)
        if refused:
            what = "%d %s become dead letters, %d among them. %s"
            logger.error(what, len(refused), self.aggregate.plural, *next(iter(refused.items())))
        return refused

    async def _related(self, aggregates: Sequence[Stored]) -> Sequence[Mapping[str, Any]]:
        """What each document shows besides, by name."""
        shown: list[dict[str, Any]] = [{} for _ in aggregates]
        for related in self.aggregate.related:
            ids = [None if one.state is None else related.id_of(one.state) for one in aggregates]
            found = await self._others.find(related.kind, sorted({id_ for id_ in ids if id_ is not None}))
            for one, id_ in zip(shown, ids, strict=True):
                one[related.name] = None if id_ is None else found.get(id_)
        return shown

    async def _synchronize(self, acknowledged: Sequence[Acknowledged]) -> Sequence[None]:
        epoch = min(one.epoch for one in acknowledged)
        await self.store.synchronize([(one.id, one.version) for one in acknowledged], epoch)
        return [None] * len(acknowledged)

    async def _set_aside(self, refused: Sequence[Refused]) -> Sequence[None]:
        await self.store.set_aside([(one.id, one.version, one.error) for one in refused])
        return [None] * len(refused)

    async def _read_by_ids(self, ids: Sequence[int]) -> Sequence[Document | None]:
        found = await self._documents.find_by_ids(list(set(ids)))
        return [found.get(id_) for id_ in ids]

    async def _read_current(self, ids: Sequence[int]) -> Sequence[Stored | Exception | None]:
        found = await self.store.read(sorted(set(ids)))
        return [found.get(id_) for id_ in ids]


class ResumedWork:
    """The flow, as recovery asks for it; see `delivery.recovery.Flow`."""

    def __init__(self, flow: AggregateFlow) -> None:
        self._flow = flow

    def resume(self, work: Stored) -> None:
        """Show this one."""
        self._flow.projection.offer(work)

    def set_aside(self, unreadable: Unreadable) -> None:
        """Make it a dead letter."""
        self._flow.set_aside.offer(Refused(unreadable.id, unreadable.version, unreadable.error))

    def room(self) -> int:
        """Half of the room is left to what is new, so that a long backlog does not delay it."""
        projection = self._flow.projection
        return projection.policy.max_waiting // 2 - projection.waiting

    def in_flight(self) -> list[int]:
        """The ids of all that are on their way here."""
        flow = self._flow
        on_their_way = (flow.projection, flow.write_back, flow.set_aside)
        return [one.id for coalescer in on_their_way for one in coalescer.in_flight()]


def replay(first: Outcome) -> Outcome:
    """What a later command with the key gets."""
    return msgspec.structs.replace(first, is_replayed=True)
