"""Reactions: what has to follow from events, done once, whatever dies meanwhile.

Each is a stored fact from the commit of its event on. An instance claims it, calls the author's function, and
removes it when that has returned. If the instance dies, another one calls the function again. What a reaction
sends has a key made of the reaction, its event, and what is sent to whom. The first answer to it stands for
good, a rejection too: so nothing is carried out twice, and two instances that both take a reaction for theirs
(one was frozen) cannot go different ways.
"""

import asyncio
import hashlib
import logging
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

import msgspec

from tandem.aggregates.definition import (
    USER,
    Aggregate,
    Happened,
    Reach,
    Reaction,
    Related,
)
from tandem.aggregates.flow import AggregateFlow
from tandem.aggregates.messages import Refresh, Sent
from tandem.aggregates.ports import Others, Task, Tasks
from tandem.delivery.contest import Overtaken
from tandem.delivery.idempotency import Idempotency, StillOpen
from tandem.delivery.rejections import Rejection
from tandem.kernel import Backoff, Overloaded, Unavailable

logger = logging.getLogger(__name__)

# So many reactions are under way in an instance, and so many wait for a place. Others stay rows.
MOST_AT_A_TIME = 200
MOST_WAITING = 10_000
MOST_A_CLAIM = 500
SECONDS_BETWEEN_LOOKS = 1.0
# Of ids that a lookup finds, so many are asked for at a time.
PAGE = 1_000
_PAUSES = Backoff()
# Nobody's fault: it is tried again.
_NOT_NOW = (Unavailable, Overloaded, Overtaken, StillOpen)


def reactions_of(aggregates: Sequence[Aggregate[Any]]) -> dict[str, Reaction]:
    """All reactions by their full names, `order/cancel`, those that write documents anew among them."""
    found: dict[str, Reaction] = {}
    for aggregate in aggregates:
        for related in aggregate.related:
            found[f"{aggregate.name}/show-{related.name}"] = _showing(aggregate, related)
        for reaction in aggregate.reactions:
            name = f"{aggregate.name}/{reaction.name}"
            if name in found:
                msg = f"Two reactions have the name {name}."
                raise ValueError(msg)
            found[name] = reaction
    return found


def followed(aggregates: Sequence[Aggregate[Any]], reaction: Reaction) -> Sequence[str]:
    """The names of the events that a reaction follows: of one that names none, all that change the kind."""
    if reaction.on:
        return reaction.on
    if reaction.kind == USER:
        return ("UPDATED", "DELETED", "ERASED")
    source = next(each for each in aggregates if each.name == reaction.kind)
    return list(source.event_types)


def _showing(aggregate: Aggregate[Any], related: Related[Any]) -> Reaction:
    """The reaction that writes documents anew when what they show besides has changed."""

    async def show(happened: Happened, reach: Reach) -> None:
        if related.when(happened):
            async for id_ in reach.ids(aggregate.name, related.lookup, happened.id):
                try:
                    await reach.send(aggregate.name, id_, Refresh())
                except Rejection:
                    continue  # deleted meanwhile: nothing is shown of it

    return Reaction(name=f"show-{related.name}", kind=related.kind, on=(), do=show)


class _Reach:
    """See `definition.Reach`: what the reaction of one task may do."""

    def __init__(self, task: Task, flows: Mapping[str, AggregateFlow], others: Others) -> None:
        self._task = task
        self._flows = flows
        self._others = others
        self._sent: dict[str, int] = {}

    async def send(self, kind: str, id_: int | None, command: Any) -> int:
        """See `Reach.send`."""
        flow, seed = self._flows[kind], self._task.happened.seed
        key = _idempotency(self._key_of(kind, id_, command), msgspec.json.encode(command))
        sent = Sent(command, seed, id_, idempotency=key, cause=self._task.name)
        try:
            outcome = await flow.execute(sent)
        except Rejection as rejection:
            outcome = await flow.rejected_for_good(sent, rejection)
        return outcome.stored.id

    def _key_of(self, kind: str, id_: int | None, command: Any) -> str:
        """The same however often the reaction is repeated, since it sends the same in the same order."""
        happened = self._task.happened
        what = f"{kind} {id_ or 'new'} {type(command).__name__}"
        self._sent[what] = self._sent.get(what, 0) + 1
        return f"{self._task.name} {happened.kind} {happened.id} {happened.version} {what} {self._sent[what]}"

    async def exists(self, kind: str, id_: int) -> bool:
        """See `Reach.exists`."""
        return await self._others.exists(kind, id_)

    async def find(self, kind: str, id_: int) -> Any | None:
        """See `Reach.find`."""
        return await self._others.find_one(kind, id_)

    async def ids(self, kind: str, lookup: str, *arguments: Any) -> AsyncIterator[int]:
        """See `Reach.ids`."""
        after = 0
        while page := await self._flows[kind].store.ids(lookup, arguments, after):
            for id_ in page:
                yield id_
            if len(page) < PAGE:
                return
            after = page[-1]


class Reactions:
    """Carries reactions out: those that follow from what is committed here, and those that others left.

    Args:
        reactions: by their full names.
        tasks: the rows.
        flows: the flow of each kind.
        others: the states that reactions ask for.
        incarnation: answers which life of this instance has them in hand.
    """

    def __init__(
        self,
        reactions: Mapping[str, Reaction],
        tasks: Tasks,
        flows: Mapping[str, AggregateFlow],
        others: Others,
        incarnation: Callable[[], int],
    ) -> None:
        self._reactions = reactions
        self._tasks = tasks
        self._flows = flows
        self._others = others
        self._incarnation = incarnation
        self._waiting: deque[tuple[Task, int]] = deque()
        self._workers: set[asyncio.Task[None]] = set()
        self._something_new = asyncio.Event()
        #: How many were carried out since this instance began.
        self.done = 0

    def nudge(self, *_: object) -> None:
        """Look for reactions now: something was committed that one may follow from."""
        self._something_new.set()

    @property
    def room(self) -> int:
        """How many more may wait here."""
        return MOST_WAITING - len(self._waiting)

    def begin(self, task: Task, incarnation: int) -> None:
        """Carry this one out, which that life of ours has in hand, after those that wait."""
        self._waiting.append((task, incarnation))
        if len(self._workers) < MOST_AT_A_TIME:
            worker = asyncio.create_task(self._work(), name="reactions")
            self._workers.add(worker)
            worker.add_done_callback(self._workers.discard)

    async def run_once(self) -> float:
        """One round: claim what others left, then wait until there may be more.

        Raises:
            Unavailable: PostgreSQL does not answer.
        """
        if not self._reactions:
            return SECONDS_BETWEEN_LOOKS
        self._something_new.clear()
        most = min(MOST_A_CLAIM, self.room)
        incarnation = self._incarnation()
        claimed = await self._tasks.claim(incarnation, most) if most > 0 else ()
        for task in claimed:
            self.begin(task, incarnation)
        if len(claimed) < MOST_A_CLAIM:
            with suppress(TimeoutError):
                async with asyncio.timeout(SECONDS_BETWEEN_LOOKS):
                    await self._something_new.wait()
        return 0.0

    async def finish(self, within_seconds: float) -> None:
        """Wait for what is under way; what is not done by then is done by another instance."""
        if self._workers:
            await asyncio.wait(list(self._workers), timeout=within_seconds)
        for worker in list(self._workers):
            worker.cancel()

    async def _work(self) -> None:
        while self._waiting:
            task, incarnation = self._waiting.popleft()
            try:
                await self._carry_out(task, incarnation)
            finally:
                self._tasks.let_go(task)

    async def _carry_out(self, task: Task, incarnation: int) -> None:
        """Carry one out. If it cannot be just now, its row stays ours, and is claimed again in a moment."""
        try:
            await self._try(task, incarnation)
        except _NOT_NOW:
            await asyncio.sleep(_PAUSES.seconds(1))
        except Exception as error:
            # The author's code, or rows that cannot be read. Somebody has to mend it; the row says so.
            logger.exception("%s fails on %s %d", task.name, task.happened.kind, task.happened.id)
            with suppress(Unavailable):
                await self._tasks.put_off(task, incarnation, _PAUSES.seconds(10), type(error).__name__)

    async def _try(self, task: Task, incarnation: int) -> None:
        reach = _Reach(task, self._flows, self._others)
        try:
            await self._reactions[task.name].do(task.happened, reach)
        except Rejection as rejection:
            # The author has nothing to say to it, so that is the end.
            logger.info("%s on %s %d: %s", task.name, task.happened.kind, task.happened.id, rejection)
        await self._tasks.finish(task, incarnation)
        self.done += 1


def _idempotency(key: str, body: bytes) -> Idempotency:
    """A key that no client can have: theirs are printable."""
    return Idempotency(f"\x01{key}", hashlib.sha256(body).digest())
