"""The flows of installed aggregates in an instance, beside that of users."""

import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any

from tandem.aggregates.command_store import PostgresCommandStore
from tandem.aggregates.definition import USER, Aggregate, Happened
from tandem.aggregates.documents import is_somebody_elses
from tandem.aggregates.drafts import Draft
from tandem.aggregates.flow import AggregateFlow, FlowPolicy, ResumedWork
from tandem.aggregates.messages import Stored
from tandem.aggregates.others import OtherStates, Read, existing_in
from tandem.aggregates.ports import Stores
from tandem.aggregates.reactions import Reactions, followed, reactions_of
from tandem.aggregates.tasks import ReactionRows
from tandem.config import Settings
from tandem.delivery.lease import Lease
from tandem.delivery.recovery import Recovery
from tandem.kernel import Coalescer
from tandem.mongodb.documents import Documents
from tandem.mongodb.generations import Collections
from tandem.postgres.database import Database
from tandem.runs.in_flight import ClaimedUsers


@dataclass(frozen=True)
class AggregateAdapters:
    """What of one kind talks to the outside."""

    aggregate: Aggregate[Any]
    store: PostgresCommandStore
    documents: Documents


def adapters_of(
    aggregates: Sequence[Aggregate[Any]],
    settings: Settings,
    database: Database,
    reads: Database,
    collections: Mapping[str, Collections],
) -> dict[str, AggregateAdapters]:
    """Those of each kind, by its name."""
    return {
        each.name: AggregateAdapters(
            each,
            PostgresCommandStore(each, database, settings.app_id, reads),
            Documents(collections[each.name], is_somebody_elses, each.name),
        )
        for each in aggregates
    }


def tasks_of(aggregates: Sequence[Aggregate[Any]], database: Database) -> ReactionRows:
    """The rows of their reactions."""
    by_name = {each.name: each for each in aggregates}
    return ReactionRows(database, by_name, list(reactions_of(aggregates)))


def others_of(database: Database, read_users: Read, own: Mapping[str, AggregateAdapters]) -> OtherStates:
    """The states that documents show and reactions ask for."""
    stores = {kind: each.store for kind, each in own.items()}
    return OtherStates(read_users, stores, partial(existing_in, database))


class OwnFlows:
    """The flows of all installed aggregates, and what they do for each other."""

    def __init__(
        self,
        settings: Settings,
        adapters: Mapping[str, AggregateAdapters],
        tasks: ReactionRows,
        read_users: Read,
        lease: Lease,
    ) -> None:
        self.adapters = adapters
        self.tasks = tasks
        self._drain_seconds = settings.drain_seconds
        policy = FlowPolicy(settings.max_batch, settings.max_waiting_commands, settings.max_in_projection)
        self.others = others_of(tasks.database, read_users, adapters)
        self.flows = {
            kind: AggregateFlow(
                each.aggregate,
                Stores(each.store, each.documents, self.others),
                lambda: lease.incarnation,
                policy,
            )
            for kind, each in adapters.items()
        }
        self.recoveries: dict[str, Recovery[Stored]] = {
            kind: Recovery(flow.store, lease, ResumedWork(flow)) for kind, flow in self.flows.items()
        }
        #: What recovery has claimed of each kind, for the live view.
        self.claimed = {kind: ClaimedUsers() for kind in self.flows}
        for kind, recovery in self.recoveries.items():
            recovery.observers.append(self.claimed[kind].count)
        aggregates = [each.aggregate for each in adapters.values()]
        reactions = reactions_of(aggregates)
        self.reactions = Reactions(reactions, tasks, self.flows, self.others, lambda: lease.incarnation)
        #: Kind and event to the reactions that follow.
        self._following: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
        for name, reaction in reactions.items():
            for event in followed(aggregates, reaction):
                self._following[reaction.kind, event].append(name)
        for flow in self.flows.values():
            flow.observers.append(self._react)

    @property
    def follows_users(self) -> bool:
        """Whether any reaction follows events of users."""
        return any(kind == USER for kind, _ in self._following)

    def _react(self, committed: Sequence[Draft], incarnation: int) -> None:
        """Begin what follows from what was committed here. What there is no room for stays a row."""
        for draft in committed:
            kind = draft.aggregate.name
            for change in draft.changes:
                for name in self._following.get((kind, change.event_type), ()):
                    if self.reactions.room > 0 and draft.id is not None:
                        columns = (kind, draft.id, change.version, change.event_type, change.event)
                        task = self.tasks.hold(name, Happened(*columns, draft.seed))
                        self.reactions.begin(task, incarnation)

    @property
    def coalescers(self) -> list[Coalescer[Any, Any]]:
        """All of them."""
        of_flows = [one for flow in self.flows.values() for one in flow.coalescers]
        return [*of_flows, *(self.others.coalescers + self.tasks.coalescers if self.flows else [])]

    async def recover(self) -> float:
        """One round of every recovery; in how many seconds to look again."""
        return min([await recovery.run_once() for recovery in self.recoveries.values()], default=1.0)

    async def finish(self) -> None:
        """Bring to its end what is in flight, as far as the time to drain allows; the rest is recovered.

        All share the time: later ones get what is left of it.
        """
        if not self.flows:
            return
        deadline = time.monotonic() + self._drain_seconds
        await self.reactions.finish(self._drain_seconds)
        for coalescer in self.coalescers:
            await coalescer.drain(timedelta(seconds=deadline - time.monotonic()))
        for coalescer in self.coalescers:
            coalescer.stop()
