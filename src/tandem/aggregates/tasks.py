"""Reactions that are still to be done, as rows of PostgreSQL."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import asyncpg
import msgspec

from tandem.aggregates.definition import USER, Aggregate, Happened
from tandem.aggregates.events import event_of
from tandem.aggregates.ports import Task
from tandem.postgres.database import Database
from tandem.postgres.queries import Query, load_queries
from tandem.user_command.event_log import todays_data


@cache
def queries_of(kind: str) -> Mapping[str, Query]:
    """The queries; only `events` is about a kind."""
    return load_queries(__package__ or "", "reactions.sql", kind=kind)


@dataclass(frozen=True)
class ReactionTask:
    """See `ports.Task`. A row of `tandem_reaction` with its event."""

    name: str
    happened: Happened
    rejected: dict[str, str]
    failures: int = 0


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
        self._database = database
        self._aggregates = aggregates
        self._names = list(names)
        self._queries = queries_of(USER)
        self._in_hand: dict[str, ReactionTask] = {}

    async def claim(self, incarnation: int, most: int) -> Sequence[ReactionTask]:
        """See `ports.Tasks`.

        Raises:
            Unavailable: PostgreSQL does not answer.
        """
        rows = await self._database.fetch(
            self._queries["claim"], incarnation, most, self._names, list(self._in_hand)
        )
        by_kind: defaultdict[str, list[asyncpg.Record]] = defaultdict(list)
        for row in rows:
            by_kind[row["kind"]].append(row)
        tasks = [task for kind, some in by_kind.items() for task in await self._read(kind, some)]
        self._in_hand |= {_key(task): task for task in tasks}
        return tasks

    async def _read(self, kind: str, rows: Sequence[asyncpg.Record]) -> list[ReactionTask]:
        columns = ([row[name] for row in rows] for name in ("id", "version", "event_type"))
        found = await self._database.fetch(queries_of(kind)["events"], *columns)
        events = {(event["id"], event["version"], event["event_type"]): event for event in found}
        return [
            ReactionTask(
                row["reaction"],
                self._happened(kind, event),
                msgspec.json.decode(row["rejected"], type=dict[str, str]),
                row["failures"],
            )
            for row in rows
            if (event := events.get((row["id"], row["version"], row["event_type"])))
        ]

    def _happened(self, kind: str, row: asyncpg.Record) -> Happened:
        columns = (row["event_type"], row["format"], row["event_data"])
        if kind == USER:
            event = None if row["event_data"] is None else todays_data(*columns)
        elif row["event_data"] is None:
            event = None  # an event of the flow itself
        else:
            event = event_of(self._aggregates[kind], *columns)
        return Happened(kind, row["id"], row["version"], row["event_type"], event, row["seed"])

    async def note_rejection(self, task: Task, incarnation: int, key: str, why: str) -> bool:
        """See `ports.Tasks`."""
        arguments = (*_place(task), incarnation, key, why)
        return bool(await self._database.fetch(self._queries["note_rejection"], *arguments))

    async def finish(self, task: Task, incarnation: int) -> None:
        """See `ports.Tasks`."""
        await self._database.fetch(self._queries["finish"], *_place(task), incarnation)
        self.let_go(task)

    async def put_off(self, task: Task, incarnation: int, seconds: float, error: str) -> None:
        """See `ports.Tasks`."""
        await self._database.fetch(self._queries["put_off"], *_place(task), incarnation, seconds, error)
        self.let_go(task)

    def let_go(self, task: Task) -> None:
        """Have it no more in hand, whatever became of it: if its row is still ours, it is claimed again."""
        self._in_hand.pop(_key(task), None)

    async def state(self) -> ReactionState:
        """What is to be done.

        Raises:
            Unavailable: PostgreSQL does not answer.
        """
        return ReactionState(**dict((await self._database.fetch(self._queries["state"]))[0]))


def _place(task: Task) -> tuple[str, str, int, int, str]:
    happened = task.happened
    return task.name, happened.kind, happened.id, happened.version, happened.type


def _key(task: Task) -> str:
    name, kind, id_, version, event_type = _place(task)
    return f"{kind}/{id_}/{version}/{name}/{event_type}"
