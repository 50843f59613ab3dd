"""A kind's row of `tandem_projection`, as `tandem rebuild` reads and changes it."""

import asyncio
from collections.abc import Callable
from typing import Any

import msgspec

from tandem.errors import TandemError
from tandem.mongodb.client import translated
from tandem.mongodb.generations import COPIES, Collections, Generation, Projection
from tandem.postgres.database import Database
from tandem.projections.followed import QUERIES, projection_of

SECONDS_BETWEEN_LOOKS = 0.1
# Instances of other cells look each second (`app/cells.py`), and trust what they saw for no longer.
READERS_FOLLOW_WITHIN_SECONDS = 3.0


class RebuildError(TandemError):
    """A rebuild cannot go on; the message says why, and what to do."""


class Row(msgspec.Struct, frozen=True):
    """Where a kind's documents are, and how far the building of another collection has come."""

    projection: Projection
    #: "announced", "building" or "previous": what the other generation is; empty where there is none.
    phase: str = ""
    copied_through: int = 0
    #: The highest generation that there ever was.
    highest: int = 1

    @property
    def built(self) -> Generation | None:
        """The generation that is being built."""
        return self.projection.other if self.phase in {"announced", "building"} else None


class ProjectionRow:
    """Reads and changes the row of one kind. Nobody else changes any: see `lock_rebuild`.

    Args:
        database: as the owner.
        kind: whose row.
        collections: those of the kind; they follow what is read here.
    """

    def __init__(self, database: Database, kind: str, collections: Collections) -> None:
        self._database = database
        self.kind = kind
        self.collections = collections

    async def read(self) -> Row:
        """The row as it is now."""
        for row in await self._database.fetch(QUERIES["projections"]):
            if row["kind"] == self.kind:
                projection = projection_of(row, row["epoch"])
                self.collections.projection = projection
                return Row(projection, row["phase"] or "", row["copied_through"], row["highest"])
        return Row(Projection())

    async def change(self, name: str, *arguments: Any) -> Row:
        """Carry out one of the changes of `projections.sql`; the row after it."""
        await self._database.fetch(QUERIES[name], self.kind, *arguments)
        return await self.read()

    async def note_copied(self, through: int) -> None:
        """Note up to which id all rows were copied."""
        await self._database.fetch(QUERIES["note_copied"], self.kind, through)

    async def require_known(self, shape: int) -> None:
        """Refuse a shape that some instance does not know.

        Raises:
            RebuildError: names the instances.
        """
        rows = await self._database.fetch(QUERIES["not_knowing"], self.kind, shape)
        if rows:
            names = ", ".join(row["app_id"] for row in rows)
            plural = self.collections.plural
            msg = (
                f"Instances run a program that does not know shape {shape} of {plural}: {names}. Replace "
                "them by this version first, one by one."
            )
            raise RebuildError(msg)

    async def until_followed(self, report: Callable[[str], None]) -> None:
        """Wait until each living instance writes and reads by the rows as they are now.

        Who does not live any more cannot end a flow without it: `required_epoch` sees to that.
        """
        waiting = ""
        while rows := await self._database.fetch(QUERIES["not_following"]):
            if (names := ", ".join(found["app_id"] for found in rows)) != waiting:
                report(f"Waiting for {names} to follow.")
                waiting = names
            await asyncio.sleep(SECONDS_BETWEEN_LOOKS)

    async def until_others_follow(self) -> None:
        """Wait until those follow who only read here: instances of other cells, of which no lease tells."""
        await asyncio.sleep(READERS_FOLLOW_WITHIN_SECONDS)

    async def write_copy(self) -> None:
        """Let readers without PostgreSQL see the row in MongoDB."""
        row = await self.read()
        copies = self.collections.of_database(COPIES)
        copy = msgspec.to_builtins(row.projection)
        with translated():
            await copies.replace_one({"_id": self.collections.plural}, copy, upsert=True)
