"""Reactions that are still to be done, in memory."""

import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from tandem.aggregates.definition import Aggregate, Happened
from tandem.aggregates.ports import Task
from tandem.aggregates.reactions import followed, reactions_of

Place = tuple[str, str, int, int, str]


class MemoryTask(msgspec.Struct):
    """See `ports.Task`."""

    name: str
    happened: Happened
    #: The life of an instance that has it; 0: none.
    incarnation: int = 0
    not_before: float = 0.0
    #: Why it failed last; empty: it did not.
    error: str = ""


class MemoryTasks:
    """See `ports.Tasks`. Each is written with its event, as the triggers of PostgreSQL do.

    Args:
        aggregates: whose reactions they are.
        lives: the incarnations whose leases last.
    """

    def __init__(self, aggregates: Sequence[Aggregate[Any]], lives: set[int]) -> None:
        self.lives = lives
        #: By reaction and event.
        self.rows: dict[Place, MemoryTask] = {}
        #: Called when one was written, or has been tried.
        self.on_change: Callable[[], None] = lambda: None
        self._in_hand: set[Place] = set()
        self._following: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
        for name, reaction in reactions_of(aggregates).items():
            for event_type in followed(aggregates, reaction):
                self._following[reaction.kind, event_type].append(name)

    def note(self, happened: Happened, incarnation: int) -> None:
        """Write what has to follow from this event, which that life of an instance has committed."""
        for name in self._following.get((happened.kind, happened.type), ()):
            task = MemoryTask(name, happened, incarnation)
            self.rows[_place(task)] = task
        self.on_change()

    async def claim(self, incarnation: int, most: int) -> Sequence[MemoryTask]:
        """See `ports.Tasks`."""
        free = [
            place
            for place, row in self.rows.items()
            if row.not_before <= time.monotonic()
            and (
                place not in self._in_hand
                if row.incarnation == incarnation
                else row.incarnation not in self.lives
            )
        ][:most]
        self._in_hand.update(free)
        for place in free:
            self.rows[place].incarnation = incarnation
        return [msgspec.structs.replace(row) for row in map(self.rows.__getitem__, free)]

    def _own(self, task: Task, incarnation: int) -> MemoryTask | None:
        row = self.rows.get(_place(task))
        return row if row is not None and row.incarnation == incarnation else None

    async def finish(self, task: Task, incarnation: int) -> None:
        """See `ports.Tasks`."""
        if self._own(task, incarnation):
            del self.rows[_place(task)]

    async def put_off(self, task: Task, incarnation: int, seconds: float, error: str) -> None:
        """See `ports.Tasks`."""
        if row := self._own(task, incarnation):
            row.incarnation, row.error = 0, error
            row.not_before = time.monotonic() + seconds

    def let_go(self, task: Task) -> None:
        """See `ports.Tasks`."""
        self._in_hand.discard(_place(task))
        self.on_change()


def _place(task: Task) -> Place:
    happened = task.happened
    return task.name, happened.kind, happened.id, happened.version, happened.type
