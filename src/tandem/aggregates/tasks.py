"""Reactions that are still to be done, as rows of PostgreSQL."""

import logging
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import timedelta
from functools import cache
from typing import Any

import asyncpg
import msgspec

from tandem.aggregates.definition import USER, Aggregate, Happened
from tandem.aggregates.events import event_of
from tandem.aggregates.ports import Task
from tandem.kernel import BatchPolicy, Coalescer
from tandem.postgres.database import Database
from tandem.postgres.queries import Query, load_queries
from tandem.user_command.event_log import UnreadableEvent, todays_data

logger = logging.getLogger(__name__)

# Of so many in hand, it is looked whether others were forgotten.
MOST_COMPARED = 500
# A reaction whose event cannot be read is looked at again after so long.
SECONDS_TO_LEAVE_UNREADABLE = 5.0


@cache
def queries_of(kind: str) -> Mapping[str, Query]:
    """The queries; only `events` is about a kind."""
    return load_queries(__package__ or "", "reactions.sql", kind=kind)


class ReactionTask(msgspec.Struct, frozen=True):
    """See `ports.Task`. A row of `tandem_reaction` with its event."""

    name: str
    happened: Happened


class ReactionState(msgspec.Struct, frozen=True):
    """What is to be done in the whole system."""

    pending: int
    oldest_seconds: float
    #: A reaction that failed at least three times, and why; None: none does.
    failing: str | None


class ReactionRows:
    """See `ports.Tasks`."""

    def __init__(
        self, database: Database, aggregates: Mapping[str, Aggregate[Any]], names: Sequence[str]
    ) -> None:
        """`names` are the reactions that this program knows; others are left to others."""
        self.database = database
        self._aggregates = aggregates
        self._names = list(names)
        self._queries = queries_of(USER)
        #: By Python's id of each, which costs less than its name, event and version.
        self._in_hand: dict[int, Task] = {}
        self._done = Coalescer("finish reactions", self._finish, BatchPolicy(max_batch=500))

    async def claim(self, incarnation: int, most: int) -> Sequence[ReactionTask]:
        """See `ports.Tasks`.

        Raises:
            Unavailable: PostgreSQL does not answer.
        """
        # Own rows that are not in hand were forgotten. While much is in hand, they are not looked for.
        in_hand = None
        if len(self._in_hand) <= MOST_COMPARED:
            places = map(_place, self._in_hand.values())
            in_hand = [f"{id_}/{version}/{name}/{event}" for name, id_, version, event in places]
        rows = await self.database.fetch(self._queries["claim"], incarnation, most, self._names, in_hand)
        by_kind: defaultdict[str, list[asyncpg.Record]] = defaultdict(list)
        for row in rows:
            by_kind[row["kind"]].append(row)
        found = [one for kind, some in by_kind.items() for one in await self._read(kind, some)]
        tasks = [one for one in found if isinstance(one, ReactionTask)]
        for task, why in (one for one in found if not isinstance(one, ReactionTask)):
            # It holds up no other: somebody has to mend it, and until then its row says why it is left.
            logger.error("%s of %s %d: %s", task.name, task.happened.kind, task.happened.id, why)
            await self.put_off(task, incarnation, SECONDS_TO_LEAVE_UNREADABLE, why)
        self._in_hand |= {id(task): task for task in tasks}
        return tasks

    async def _read(
        self, kind: str, rows: Sequence[asyncpg.Record]
    ) -> list[ReactionTask | tuple[ReactionTask, str]]:
        """The tasks of these rows; of one whose event cannot be read, the task without it, and why."""
        columns = ([row[name] for row in rows] for name in ("id", "version", "event_type"))
        found = await self.database.fetch(queries_of(kind)["events"], *columns)
        events = {(event["id"], event["version"], event["event_type"]): event for event in found}
        tasks: list[ReactionTask | tuple[ReactionTask, str]] = []
        for row in rows:
            place = (row["id"], row["version"], row["event_type"])
            try:
                tasks.append(ReactionTask(row["reaction"], self._happened(kind, events.get(place))))
            except (UnreadableEvent, msgspec.MsgspecError) as error:
                unread = ReactionTask(row["reaction"], Happened(kind, *place, None, ""))
                tasks.append((unread, f"its event cannot be read: {error}"))
        return tasks

    def _happened(self, kind: str, row: asyncpg.Record | None) -> Happened:
        if row is None:
            raise UnreadableEvent("it is not there")
        columns = (row["event_type"], row["format"], row["event_data"])
        if row["event_data"] is None:
            # Of the flow itself, or of a user's end. Who was erased left nothing in the events before.
            event: Any = {} if kind == USER and row["event_type"] in ("CREATED", "UPDATED") else None
        elif kind == USER:
            event = todays_data(*columns)
        else:
            event = event_of(self._aggregates[kind], *columns)
        return Happened(kind, row["id"], row["version"], row["event_type"], event, row["seed"])

    async def finish(self, task: Task, incarnation: int) -> None:
        """See `ports.Tasks`."""
        await self._done.submit((task, incarnation))

    async def _finish(self, done: Sequence[tuple[Task, int]]) -> Sequence[None]:
        for incarnation in {incarnation for _, incarnation in done}:
            places = [_place(task) for task, of in done if of == incarnation]
            columns = ([place[number] for place in places] for number in range(4))
            await self.database.fetch(self._queries["finish"], *columns, incarnation)
        return [None] * len(done)

    async def put_off(self, task: Task, incarnation: int, seconds: float, error: str) -> None:
        """See `ports.Tasks`."""
        await self.database.fetch(self._queries["put_off"], *_place(task), incarnation, seconds, error)

    def hold(self, name: str, happened: Happened) -> ReactionTask:
        """The task that was written with this event, which this instance has just committed."""
        task = ReactionTask(name, happened)
        self._in_hand[id(task)] = task
        return task

    def let_go(self, task: Task) -> None:
        """Have it no more in hand, whatever became of it: if its row is still ours, it is claimed again."""
        self._in_hand.pop(id(task), None)

    @property
    def coalescers(self) -> list[Coalescer[Any, Any]]:
        """The one that gathers ends."""
        return [self._done]

    async def state(self, within: timedelta | None = None) -> ReactionState:
        """What is to be done.

        Raises:
            Unavailable: PostgreSQL does not answer.
        """
        return ReactionState(**dict((await self.database.fetch(self._queries["state"], within=within))[0]))


def _place(task: Task) -> tuple[str, int, int, str]:
    happened = task.happened
    return task.name, happened.id, happened.version, happened.type
