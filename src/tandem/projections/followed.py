"""How an instance follows the rows of `tandem_projection`."""

from collections.abc import Mapping

import asyncpg

from tandem.kernel import UnsuitableServer
from tandem.mongodb.generations import Collections, Generation, Projection, UnknownShape
from tandem.postgres.database import Database
from tandem.postgres.queries import load_queries

QUERIES = load_queries(__package__ or "", "projections.sql")


class Projections:
    """What this instance knows of where documents are.

    Args:
        database: where the rows are.
        collections: what shall follow them, by kind.
        shapes: the latest shape of each kind's documents that this program knows.
    """

    def __init__(
        self, database: Database, collections: Mapping[str, Collections], shapes: Mapping[str, int]
    ) -> None:
        self._database = database
        self.collections = collections
        self._shapes = shapes

    @property
    def trouble(self) -> str:
        """Why this program cannot write what it shall, as a sentence; empty where it can."""
        for kind, collections in self.collections.items():
            for generation in collections.projection.written:
                if generation.shape > self._shapes[kind]:
                    return f"{UnknownShape(collections.plural, generation.shape)}."
        return ""

    async def require_known_shapes(self) -> None:
        """Follow the rows for the first time.

        Raises:
            UnsuitableServer: a newer program has made documents of a shape that this one does not know.
            Unavailable: PostgreSQL does not answer.
        """
        await self.follow()
        if self.trouble:
            raise UnsuitableServer(self.trouble)

    async def follow(self) -> int:
        """Read the rows, and let every batch that begins from now on be written and read by them.

        Returns: their epoch.

        Raises:
            Unavailable: PostgreSQL does not answer.
        """
        rows = await self._database.fetch(QUERIES["projections"])
        epoch: int = rows[0]["last_epoch"] if rows else 0
        found = {row["kind"]: projection_of(row, epoch) for row in rows}
        for kind, collections in self.collections.items():
            # PostgreSQL decides, even where it was restored and its epochs begin anew.
            collections.projection = found.get(kind, Projection(epoch))
        return epoch


def projection_of(row: asyncpg.Record, epoch: int) -> Projection:
    """What a row says, for whoever has read all of them as of this epoch."""
    other = None if row["other"] is None else Generation(row["other"], row["other_shape"])
    return Projection(epoch, Generation(row["live"], row["live_shape"]), other)


async def names_of(database: Database, plurals: Mapping[str, str]) -> dict[str, list[str]]:
    """The collections that documents are written to, the live one first, by kind; given the kinds' plurals.

    Raises:
        Unavailable: PostgreSQL does not answer.
    """
    rows = {row["kind"]: projection_of(row, 0) for row in await database.fetch(QUERIES["projections"])}
    return {
        kind: [each.collection(plural) for each in rows.get(kind, Projection()).written]
        for kind, plural in plurals.items()
    }
