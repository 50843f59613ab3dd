"""The cells of a system, for the reads of this instance: each other cell is read with a few connections.

Which cells there are stands in the file CELLS_FILE, which is looked at once a second: cells come and go while
the instance runs. One that is away keeps nothing from starting. It is left out of what is asked of all, and
heard again once it answers.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import timedelta
from enum import StrEnum
from typing import Any, TypeVar

import msgspec

from tandem.aggregates.definition import Aggregate
from tandem.aggregates.flow import AggregateFlow
from tandem.aggregates.ports import Stores
from tandem.app.adapters import adapters_of
from tandem.app.aggregates import others_of
from tandem.app.read_side import ReadSide, read_side_of
from tandem.config import Settings
from tandem.config.cells import Cell, WatchedCells
from tandem.kernel import Unavailable, keep_running
from tandem.kernel.cells import PATIENCE, Everywhere, Part, Voice
from tandem.kernel.clock import uptime
from tandem.mongodb.client import open_client
from tandem.postgres.database import Database
from tandem.projections.row import READERS_FOLLOW_WITHIN_SECONDS
from tandem.user_command.service import UserCommandService
from tandem.user_query.service import UserQueryService

logger = logging.getLogger(__name__)

SECONDS_BETWEEN_LOOKS = 1.0
# To PostgreSQL, for each other cell.
CONNECTIONS = 2

S = TypeVar("S")


class Store(StrEnum):
    """A cell's two databases."""

    POSTGRESQL = "PostgreSQL"
    MONGODB = "MongoDB"


class Voices:
    """Whether a cell's databases are heard."""

    def __init__(self, number: int, answers: dict[Store, Callable[[], Awaitable[bool]]]) -> None:
        """`answers` find out whether each database answers, soon."""
        self._number = number
        self._answers = answers
        self.of = {store: Voice() for store in Store}
        # Those that were silent when it was last looked.
        self._silent: set[Store] = set()

    async def look(self) -> None:
        """Find out whether the silent ones answer again, and log what has changed."""
        await asyncio.gather(*(voice.probe(self._answers[store]) for store, voice in self.of.items()))
        silent = {store for store, voice in self.of.items() if voice.is_silent}
        for store in silent - self._silent:
            logger.warning("Cell %d: %s does not answer; what is read leaves it out.", self._number, store)
        for store in self._silent - silent:
            logger.info("Cell %d: %s answers again.", self._number, store)
        self._silent = silent


class _OtherCell:
    """Another cell, with connections and the parts that read it."""

    def __init__(self, settings: Settings, cell: Cell, aggregates: Sequence[Aggregate[Any]]) -> None:
        """Connect in the background.

        Raises:
            UnsuitableServer: MongoDB's URL is none.
        """
        name = f"{settings.app_id} (cell {settings.cell})"
        deadline = timedelta(seconds=settings.database_timeout_seconds)
        self.urls = _urls_of(cell)
        # Files of its archive may have the names of this cell's: only its own instances show what is in them.
        other = {"cell": cell.number, "cells_file": "", "event_archive_dir": ""}
        settings = msgspec.structs.replace(settings, **other, **self.urls)
        self._client = open_client(cell.mongodb_url, name=name, deadline=deadline)
        self._database = Database.connect_later(
            cell.postgres_url, name=name, deadline=deadline, connections=CONNECTIONS
        )
        adapters = adapters_of(settings, self._database, self._client, aggregates)
        others = others_of(self._database, adapters.users.read, adapters.own)
        flows = {
            kind: AggregateFlow(each.aggregate, Stores(each.store, each.documents, others), lambda: 0)
            for kind, each in adapters.own.items()
        }
        self.reads = read_side_of(
            adapters,
            UserCommandService(adapters.users, adapters.lease),
            UserQueryService(adapters.documents, adapters.search),
            flows,
        )
        self.voices = Voices(
            cell.number,
            {Store.POSTGRESQL: self._database.answers, Store.MONGODB: adapters.mongodb_answers},
        )
        # When it was last seen which collections are read, by a clock that goes on while we are frozen.
        self._followed_at = float("-inf")
        for collections in adapters.projections.collections.values():
            collections.is_current = lambda: uptime() < self._followed_at + READERS_FOLLOW_WITHIN_SECONDS
        self._following = asyncio.create_task(
            keep_running(f"feed of cell {cell.number}", self.reads.following.run_once)
        )

    async def look(self) -> None:
        """Learn whether its databases answer, and which collections are read."""
        await self.voices.look()
        if self.voices.of[Store.POSTGRESQL].is_silent:
            return
        asked_at = uptime()
        try:
            async with asyncio.timeout(PATIENCE.total_seconds()):
                await self.reads.adapters.projections.follow()
        except (Unavailable, TimeoutError):
            self.voices.of[Store.POSTGRESQL].failed()
        else:
            self._followed_at = asked_at

    async def close(self) -> None:
        """Disconnect."""
        self._following.cancel()
        reads = self.reads
        for flow in reads.flows.values():
            for coalescer in flow.coalescers:
                coalescer.stop()
        for coalescer in (*reads.command_service.coalescers, *reads.query_service.coalescers):
            coalescer.stop()
        await self._database.close()
        await self._client.close()


class Cells:
    """All cells: this one, and the others as the file says.

    Args:
        settings: this instance's.
        own: what is read of this cell.
        watched: the file; None: there is no other cell.
    """

    def __init__(self, settings: Settings, own: ReadSide, watched: WatchedCells | None) -> None:
        self.number = max(settings.cell, 0)
        self._settings = settings
        #: What is read of this cell.
        self.own = own
        self._watched = watched
        self._others: dict[int, _OtherCell] = {}
        self._leaving: set[asyncio.Task[None]] = set()
        self._voices = Voices(
            self.number,
            {
                Store.POSTGRESQL: own.adapters.reads.answers,
                Store.MONGODB: own.adapters.mongodb_answers,
            },
        )

    def everywhere(self, pick: Callable[[ReadSide], S], store: Store) -> Everywhere[S]:
        """The same part of each cell; `store` is what it asks."""

        def part_of(number: int, cell: _OtherCell) -> Part[S]:
            return Part(number, pick(cell.reads), cell.voices.of[store])

        return Everywhere(pick(self.own), self.number, self._voices.of[store], self._others, part_of)

    def heard(self) -> Mapping[tuple[str, str], bool]:
        """Whether each database was heard last, by its cell and its name; nothing where there is one cell."""
        if not self._others:
            return {}
        voices = {self.number: self._voices} | {number: cell.voices for number, cell in self._others.items()}
        return {
            (str(number), store.lower()): not voice.is_silent
            for number, of_cell in sorted(voices.items())
            for store, voice in of_cell.of.items()
        }

    def begin(self) -> None:
        """Connect to the other cells, in the background.

        Raises:
            UnsuitableServer: the URL of a MongoDB is none.
        """
        if self._watched is not None:
            self._follow(self._watched.latest.cells)

    async def run_once(self) -> float:
        """Look at the file, and at each cell; in how many seconds to look again."""
        if self._watched is not None:
            self._watched.look()
            self._follow(self._watched.latest.cells)
            await asyncio.gather(self._voices.look(), *(cell.look() for cell in self._others.values()))
        return SECONDS_BETWEEN_LOOKS

    async def close(self) -> None:
        """Disconnect from the other cells."""
        for cell in self._others.values():
            self._leave(cell, timedelta(0))
        self._others.clear()
        await asyncio.gather(*self._leaving)

    def _follow(self, cells: Sequence[Cell]) -> None:
        """Connect to those that are new, and leave those that are gone or have moved.

        Raises:
            UnsuitableServer: the URL of a MongoDB is none.
        """
        wanted = {cell.number: cell for cell in cells if cell.number != self.number}
        for number, known in list(self._others.items()):
            cell = wanted.get(number)
            if cell is None or known.urls != _urls_of(cell):
                self._leave(self._others.pop(number), PATIENCE)
        aggregates = [each.aggregate for each in self.own.adapters.own.values()]
        for number, cell in wanted.items():
            if number not in self._others:
                self._others[number] = _OtherCell(self._settings, cell, aggregates)

    def _leave(self, cell: _OtherCell, after: timedelta) -> None:
        """Disconnect after what was asked before is answered."""

        async def leave() -> None:
            await asyncio.sleep(after.total_seconds())
            await cell.close()

        task = asyncio.create_task(leave(), name="leave a cell")
        self._leaving.add(task)
        task.add_done_callback(self._leaving.discard)


def _urls_of(cell: Cell) -> dict[str, str]:
    """Where its databases are, as settings."""
    return {"postgres_url": cell.postgres_url, "mongodb_url": cell.mongodb_url}
