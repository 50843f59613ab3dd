"""Reactions: what has to follow from events, done once, whatever dies meanwhile.

Each is a stored fact from the commit of its event on. An instance claims it, calls the author's function, and
removes it when that has returned. If the instance dies, another one calls the function again. What a reaction
sends has a key made of the reaction, its event, and what is sent to whom. So nothing is carried out twice,
and what was rejected once is rejected again.
"""

import asyncio
import hashlib
import logging
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
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
from tandem.aggregates.flow import AggregateFlow, refresh
from tandem.aggregates.messages import Outcome, Sent
from tandem.aggregates.ports import Others, Task, Tasks
from tandem.delivery.idempotency import Idempotency
from tandem.delivery.rejections import Gone, Rejection, Unknown
from tandem.kernel import Backoff, Overloaded, Unavailable

logger = logging.getLogger(__name__)

# So many reactions are under way in an instance.
MOST_AT_A_TIME = 100
SECONDS_BETWEEN_LOOKS = 1.0
# Of ids that a lookup finds, so many are asked for at a time.
PAGE = 1_000
_PAUSES = Backoff()


class _TakenOver(Exception):
    """Another instance has this reaction by now: it thought this one dead."""


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
    return [event.__name__ for event in source.events]


def _showing(aggregate: Aggregate[Any], related: Related[Any]) -> Reaction:
    """The reaction that writes documents anew when what they show besides has changed."""

    async def show(happened: Happened, reach: Reach) -> None:
        if related.when(happened):
            async for id_ in reach.ids(aggregate.name, related.lookup, happened.id):
                try:
                    await reach.send(aggregate.name, id_, None)
                except Gone:
                    continue  # deleted meanwhile: nothing is shown of it

    return Reaction(name=f"show-{related.name}", kind=related.kind, on=(), do=show)


class _Reach:
    """See `definition.Reach`: what the reaction of one task may do."""

    def __init__(
        self, task: Task, incarnation: int, tasks: Tasks, flows: Mapping[str, AggregateFlow], others: Others
    ) -> None:
        self._task = task
        self._incarnation = incarnation
        self._tasks = tasks
        self._flows = flows
        self._others = others
        self._sent: Counter[str] = Counter()

    async def send(self, kind: str, id_: int | None, command: Any) -> int:
        """See `Reach.send`. None for a command writes the document anew."""
        key = self._key_of(kind, id_, command)
        if key in self._task.rejected:
            raise Rejection(self._task.rejected[key])
        name, seed = self._task.name, self._task.happened.seed
        if command is None and id_ is not None:
            sent = msgspec.structs.replace(refresh(id_, name), idempotency=_idempotency(key, b""))
        else:
            body = msgspec.json.encode(command)
            sent = Sent(command, seed, id_, None, _idempotency(key, body), None, name)
        try:
            outcome: Outcome = await self._flows[kind].execute(sent)
        except Rejection as rejection:
            if not await self._tasks.note_rejection(self._task, self._incarnation, key, str(rejection)):
                raise _TakenOver from None
            self._task.rejected[key] = str(rejection)
            raise
        return outcome.stored.id

    def _key_of(self, kind: str, id_: int | None, command: Any) -> str:
        """The same however often the reaction is repeated, since it sends the same in the same order."""
        happened = self._task.happened
        what = f"{kind} {id_ or 'new'} {type(command).__name__}"
        self._sent[what] += 1
        return f"{self._task.name} {happened.kind} {happened.id} {happened.version} {what} {self._sent[what]}"

    async def find(self, kind: str, id_: int) -> Any | None:
        """See `Reach.find`."""
        return (await self._others.find(kind, [id_])).get(id_)

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
    """Claims reactions and carries them out, for as long as the instance lives.

    Args:
        reactions: by their full names.
        tasks: the rows.
        flows: the flow of each kind.
        others: the states that reactions ask for.
        incarnation: answers which life of this instance claims.
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
        self._under_way: set[asyncio.Task[None]] = set()
        self._something_new = asyncio.Event()
        #: How many were carried out since this instance began.
        self.done = 0

    def nudge(self, *_: object) -> None:
        """Look for reactions now: something was committed that one may follow from."""
        self._something_new.set()

    async def run_once(self) -> float:
        """One round: claim what there is room for, begin it, then wait until there may be more.

        Raises:
            Unavailable: PostgreSQL does not answer.
        """
        if not self._reactions:
            return SECONDS_BETWEEN_LOOKS
        self._something_new.clear()
        room = MOST_AT_A_TIME - len(self._under_way)
        if room > 0:
            incarnation = self._incarnation()
            for task in await self._tasks.claim(incarnation, room):
                doing = asyncio.create_task(self._carry_out(task, incarnation), name=task.name)
                self._under_way.add(doing)
                doing.add_done_callback(self._ended)
        try:
            async with asyncio.timeout(SECONDS_BETWEEN_LOOKS):
                await self._something_new.wait()
        except TimeoutError:
            pass
        return 0.0

    def _ended(self, doing: asyncio.Task[None]) -> None:
        self._under_way.discard(doing)
        if len(self._under_way) == MOST_AT_A_TIME // 2:
            self._something_new.set()

    async def finish(self, within_seconds: float) -> None:
        """Wait for what is under way; what is not done by then is done by another instance."""
        if self._under_way:
            await asyncio.wait(list(self._under_way), timeout=within_seconds)
        for doing in list(self._under_way):
            doing.cancel()

    async def _carry_out(self, task: Task, incarnation: int) -> None:
        try:
            await self._try(task, incarnation)
        except (Unavailable, Overloaded):
            # The row is still there, and ours: it is claimed again in a moment.
            await asyncio.sleep(_PAUSES.seconds(1))
        except _TakenOver:
            logger.warning("%s was taken over by another instance.", task.name)
        finally:
            self._let_go(task)

    def _let_go(self, task: Task) -> None:
        let_go = getattr(self._tasks, "let_go", None)
        if let_go is not None:
            let_go(task)

    async def _try(self, task: Task, incarnation: int) -> None:
        reach = _Reach(task, incarnation, self._tasks, self._flows, self._others)
        try:
            await self._reactions[task.name].do(task.happened, reach)
        except (Unavailable, Overloaded, _TakenOver):
            raise
        except (Unknown, Gone):
            pass  # whom it was about is gone: nothing is left to be done
        except Rejection as rejection:
            logger.info("%s: %s", task.name, rejection)
        except Exception as error:
            # The author's code, or rows that cannot be read. Somebody has to mend it; the row says so.
            logger.exception("%s fails on %s %d", task.name, task.happened.kind, task.happened.id)
            seconds = _PAUSES.seconds(10)
            await self._tasks.put_off(task, incarnation, seconds, type(error).__name__)
            return
        await self._tasks.finish(task, incarnation)
        self.done += 1


def _idempotency(key: str, body: bytes) -> Idempotency:
    """A key that no client can have: theirs are printable."""
    return Idempotency(f"\x01{key}", hashlib.sha256(body).digest())
