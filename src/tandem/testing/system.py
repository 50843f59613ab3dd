"""A whole system in memory: flow and reactions are those of production, its stores take no time."""

import asyncio
import hashlib
import itertools
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from tandem.aggregates.definition import USER, Aggregate, Happened
from tandem.aggregates.events import OF_THE_FLOW, event_of
from tandem.aggregates.flow import AggregateFlow, FlowPolicy
from tandem.aggregates.installed import require_consistent
from tandem.aggregates.messages import Sent
from tandem.aggregates.others import OtherStates
from tandem.aggregates.ports import Stores
from tandem.aggregates.reactions import Reactions, reactions_of
from tandem.delivery.idempotency import Idempotency
from tandem.kernel import keep_running
from tandem.mongodb.document import is_tombstone
from tandem.testing.checks import require_command
from tandem.testing.reactions import remembering_errors, repeated
from tandem.testing.stores import APP_ID, MemoryCommandStore, MemoryDocumentStore
from tandem.testing.tasks import MemoryTask, MemoryTasks
from tandem.user import Profile, StoredUser
from tandem.user.patch import changes_between

PATIENCE_SECONDS = 10.0
# So that no aggregate has the id that a test gives a user.
FIRST_ID = 1_001
LIFE = 1
SEED = "test"


class Answer(msgspec.Struct, frozen=True):
    """What a command has led to."""

    id: int
    version: int
    #: None: it is deleted.
    state: Any
    is_changed: bool
    #: Whether an earlier command with its key did it.
    is_replayed: bool


@asynccontextmanager
async def in_memory(
    *aggregates: Aggregate[Any], repeat_reactions: bool = True
) -> AsyncIterator["MemorySystem"]:
    """These aggregates beside users in one system, without any server.

    With `repeat_reactions`, each reaction is broken off, as if its instance had died, after its first
    command, after its second, its fourth and so on, and at its end; each time it is called again from its
    beginning. What a test finds then is what it would find in a system whose instances die.

    Raises:
        UnusableAggregate: they do not fit together, or follow one that is not among them.
    """
    system = MemorySystem(require_consistent(aggregates), repeat_reactions=repeat_reactions)
    try:
        yield system
    finally:
        await system.close()


class MemorySystem:
    """What a test sends to aggregates in memory, and what it finds. Made by `in_memory`."""

    def __init__(self, aggregates: Sequence[Aggregate[Any]], *, repeat_reactions: bool) -> None:
        #: The users that there are, by their ids: for a test to set.
        self.users: dict[int, Profile] = {}
        self._user_versions: dict[int, int] = {}
        self._aggregates = {each.name: each for each in aggregates}
        self._tasks = MemoryTasks(aggregates, {LIFE})
        ids = itertools.count(FIRST_ID)
        self._stores = {each.name: MemoryCommandStore(each, ids, self._tasks) for each in aggregates}
        self._documents = {each.name: MemoryDocumentStore(each.name, each.shape) for each in aggregates}
        others = OtherStates(self._read_users, self._stores)
        self._flows = {each.name: self._flow_of(each, others) for each in aggregates}
        self._coalescers = [
            *others.coalescers,
            *(one for flow in self._flows.values() for one in flow.coalescers),
        ]
        # What reactions have failed with, by their names.
        self._errors: dict[str, Exception] = {}
        reactions = remembering_errors(reactions_of(aggregates), self._errors)
        if repeat_reactions:
            reactions = repeated(reactions)
        self._reactions = Reactions(reactions, self._tasks, self._flows, others, lambda: LIFE)
        # Set whenever there may be less to do than before.
        self._changed = asyncio.Event()
        self._tasks.on_change = self._look_for_reactions
        for coalescer in self._coalescers:
            coalescer.observers.append(lambda *_: self._changed.set())
        self._looking = asyncio.create_task(keep_running("reactions", self._reactions.run_once))

    def _flow_of(self, aggregate: Aggregate[Any], others: OtherStates) -> AggregateFlow:
        stores = Stores(self._stores[aggregate.name], self._documents[aggregate.name], others)
        at_once = FlowPolicy(projection_interval=timedelta(0), write_back_interval=timedelta(0))
        return AggregateFlow(aggregate, stores, lambda: LIFE, at_once)

    def _look_for_reactions(self) -> None:
        self._reactions.nudge()
        self._changed.set()

    async def close(self) -> None:
        """End it, whatever is still under way."""
        self._looking.cancel()
        await self._reactions.finish(0)
        for coalescer in self._coalescers:
            coalescer.stop()

    async def send(
        self,
        kind: str,
        id_: int | None,
        command: Any,
        *,
        key: str | None = None,
        expected: int | None = None,
    ) -> Answer:
        """Carry out a command on this aggregate, or one that creates an aggregate (None).

        `key` is an idempotency key, and `expected` the version that the aggregate must have.

        Raises:
            Rejection: it cannot be carried out.
            KeyReused: the key was used for another command.
            AssertionError: it is none of the aggregate's commands, or cannot be sent; says what to do.
        """
        require_command(self._aggregate(kind), command, creates=id_ is None)
        body = f"{kind} {id_} {type(command).__name__}".encode() + msgspec.json.encode(command)
        versions = None if expected is None else frozenset((expected,))
        idempotency = None if key is None else Idempotency(key, hashlib.sha256(body).digest())
        outcome = await self._flows[kind].execute(Sent(command, SEED, id_, versions, idempotency))
        stored = outcome.stored
        return Answer(stored.id, stored.version, stored.state, outcome.is_changed, outcome.is_replayed)

    async def settled(self) -> None:
        """Wait until all documents are written and all reactions are done.

        Raises:
            AssertionError: a reaction fails, a document cannot be made or written, or there is still
                something to do after ten seconds; says what.
        """
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                while self._left():
                    self._require_no_failure()
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            left = ", ".join(self._left())
            raise AssertionError(f"After {PATIENCE_SECONDS:.0f} s there is still to do: {left}.") from None
        self._require_no_failure()

    def _left(self) -> list[str]:
        """What is still to do, in words."""
        reactions = list(map(_described, self._tasks.rows.values()))
        pending = [f"show {kind} {id_}" for kind, store in self._stores.items() for id_ in store.pending]
        return reactions + pending + [one.name for one in self._coalescers if len(one)]

    def _require_no_failure(self) -> None:
        for row in self._tasks.rows.values():
            if row.error:
                error = self._errors.get(row.name)
                raise AssertionError(f"{_described(row)} fails with {row.error}.") from error
        for kind, store in self._stores.items():
            for id_, (version, why) in store.dead_letters.items():
                raise AssertionError(f"The {kind} {id_} is not shown at version {version}: {why}.")

    def state(self, kind: str, id_: int) -> Any:
        """The state as it is now; None where there is no such aggregate, or no more."""
        self._aggregate(kind)
        return self._stores[kind].state(id_)

    def events(self, kind: str, id_: int) -> list[Any]:
        """What has happened to it, in order; without what the flow itself notes."""
        aggregate = self._aggregate(kind)
        return [
            event_of(aggregate, one.event_type, one.format, one.event_data)
            for one in self._stores[kind].log.get(id_, ())
            if one.event_type not in OF_THE_FLOW
        ]

    def document(self, kind: str, id_: int) -> Any:
        """What readers get to see of it; None where there is nothing, yet or any more."""
        self._aggregate(kind)
        found = self._documents[kind].find(id_)
        return None if found is None or is_tombstone(found) else found

    def _aggregate(self, kind: str) -> Aggregate[Any]:
        if kind not in self._aggregates:
            raise AssertionError(f"There is no {kind!r} here: give its aggregate to `in_memory`.")
        return self._aggregates[kind]

    def update_user(self, id_: int, profile: Profile) -> None:
        """Make this of a user, and let reactions follow: to UPDATED, or to CREATED where there was none."""
        before = self.users.get(id_)
        self.users[id_] = profile
        if before is None:
            self._happened(id_, "CREATED", msgspec.to_builtins(profile))
        elif changes := changes_between(before, profile):
            self._happened(id_, "UPDATED", changes)

    def delete_user(self, id_: int, *, erase: bool = False) -> None:
        """Delete a user, and let reactions follow: to DELETED, or to ERASED."""
        self.users.pop(id_, None)
        self._happened(id_, "ERASED" if erase else "DELETED", None)

    def _happened(self, id_: int, event_type: str, event: Any) -> None:
        # A user that a test has set has version 1.
        version = 1 if event_type == "CREATED" else self._user_versions.get(id_, 1) + 1
        self._user_versions[id_] = version
        self._tasks.note(Happened(USER, id_, version, event_type, event, SEED), LIFE)

    async def _read_users(self, ids: Sequence[int]) -> Mapping[int, StoredUser]:
        now = datetime.now(UTC)
        return {
            id_: StoredUser(id_, SEED, APP_ID, self._user_versions.get(id_, 1), now, self.users[id_])
            for id_ in ids
            if id_ in self.users
        }


def _described(task: MemoryTask) -> str:
    happened = task.happened
    return f"The reaction {task.name} to {happened.type} of {happened.kind} {happened.id}"
