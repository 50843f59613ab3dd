"""Repairs: differences that are to be healed, or were, as rows of `tandem_repair`."""

from collections.abc import Mapping, Sequence
from datetime import datetime

import msgspec

from tandem.postgres.database import Database
from tandem.postgres.queries import load_queries
from tandem.verification.differences import Difference, What

QUERIES = load_queries(__package__ or "", "verification.sql")


class Repair(msgspec.Struct, frozen=True, rename="camel"):
    """One repair."""

    number: int
    kind: str
    #: The document's `_id` as extended JSON.
    id: str
    what: str
    version: int | None
    fields: list[str]
    #: Who asked for it.
    reason: str
    found_at: datetime
    tries: int
    #: Why the last try did not heal it.
    error: str | None
    #: When both sides were seen to be equal; None: not yet.
    repaired_at: datetime | None
    #: The document that was removed, as extended JSON; None where none was, or it was not asked for.
    document: str | None = None


class Claimed(msgspec.Struct, frozen=True):
    """A repair that is to be tried now."""

    number: int
    kind: str
    id: str


class RepairRows:
    """The table of repairs. All methods raise `Unavailable` where PostgreSQL does not answer."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def ask_for(self, differences: Sequence[Difference], reason: str) -> None:
        """Have these repaired, but for documents that may be all that is left of a lost history."""
        wanted = [each for each in differences if each.what is not What.LOST]
        if wanted:
            columns = (
                [each.kind for each in wanted],
                [each.id for each in wanted],
                [each.what.value for each in wanted],
                [each.version for each in wanted],
                [" ".join(each.fields) for each in wanted],
            )
            await self._database.fetch(QUERIES["ask_for_repairs"], *columns, reason)

    async def claim(self, most: int, kinds: Sequence[str]) -> list[Claimed]:
        """Those of these kinds that are to be tried now; no other instance is given them soon."""
        rows = await self._database.fetch(QUERIES["claim_repairs"], most, kinds)
        return [Claimed(*row) for row in rows]

    async def keep_document(self, number: int, document: str) -> None:
        """Keep the document that this repair is about to remove."""
        await self._database.fetch(QUERIES["keep_document"], number, document)

    async def end(self, numbers: Sequence[int]) -> None:
        """Note that these are healed."""
        if numbers:
            await self._database.fetch(QUERIES["end_repairs"], numbers)

    async def fail(self, errors: Mapping[int, str]) -> None:
        """Note why these are not healed yet."""
        if errors:
            await self._database.fetch(QUERIES["repairs_failed"], list(errors), list(errors.values()))

    async def forget_documents(self) -> None:
        """Forget what was removed more than 30 days ago."""
        await self._database.fetch(QUERIES["forget_documents"])

    async def open(self, kinds: Sequence[str]) -> tuple[int, datetime | None]:
        """How many of these kinds are still to be done, and when one of them was last tried."""
        (row,) = await self._database.fetch(QUERIES["open_repairs"], kinds)
        return int(row["open"]), row["tried_at"]

    async def last(self, most: int, *, with_documents: bool = False) -> list[Repair]:
        """The last ones, the latest first."""
        rows = await self._database.fetch(QUERIES["list_repairs"], most, with_documents)
        return [Repair(**dict(row)) for row in rows]
