"""Copies rows into a generation that is being built, while everything goes on."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol, TypeVar

from tandem.delivery.source import Row, Source
from tandem.kernel import Backoff, Unavailable
from tandem.kernel.clock import uptime
from tandem.mongodb.document import Document, is_tombstone
from tandem.mongodb.documents import Documents
from tandem.mongodb.generations import Generation
from tandem.mongodb.indexes import TOMBSTONES_STAY
from tandem.projections.pace import Pace
from tandem.projections.row import RebuildError

R = TypeVar("R")

PAGE = 500
#: What was read longer ago is read again before it is written: no tombstone may have gone meanwhile.
LONGEST_WAY_SECONDS = 600.0
#: How long a database may be away before the builder gives up, in tries.
MOST_TRIES = 60


class CopiedKind(Protocol):
    """What is copied; `verification.kinds.VerifiedKind` is one."""

    @property
    def source(self) -> Source[Any]:
        """The rows."""

    @property
    def documents_of(self) -> Callable[[Sequence[Any]], Awaitable[Sequence[Document | str]]]:
        """Makes the documents of what rows have stored; of what cannot be shown, why."""


@dataclass(frozen=True, kw_only=True)
class Copier:
    """Copies one kind."""

    #: The rows, and what makes documents of them in the new shape.
    kind: CopiedKind
    documents: Documents
    generation: Generation
    pace: Pace

    async def copy_page(self, after: int) -> tuple[int, int]:
        """Copy what comes after this id; how many rows that was, and up to which id all is copied.

        Raises:
            RebuildError: MongoDB refuses some, or their documents cannot be made.
            Unavailable: a database does not answer.
        """
        while True:
            read_at = uptime()
            page = await self.kind.source.page(after, PAGE)
            if await self._write(page.rows, read_at):
                await self.pace.wait(len(page.rows))
                return len(page.rows), page.through

    async def copy(self, ids: Sequence[int]) -> None:
        """Copy the rows of these ids, of those that there are.

        Raises:
            RebuildError, Unavailable: as `copy_page`.
        """
        while not await self._write(await self.kind.source.rows(ids), uptime()):
            pass

    async def _write(self, rows: Sequence[Row[Any]], read_at: float) -> bool:
        """Write what is not there in a later version; whether it was read lately enough for that."""
        readable = [row for row in rows if row.stored is not None]
        made = await self.kind.documents_of([row.stored for row in readable])
        wanted = {
            row.id: document
            for row, document in zip(readable, made, strict=True)
            if not isinstance(document, str) and not _is_gone(row, document)
        }
        refused = {row.id: made for row, made in zip(readable, made, strict=True) if isinstance(made, str)}
        if uptime() - read_at > LONGEST_WAY_SECONDS:
            return False
        if wanted:
            refused |= await self._written(list(wanted.values()))
        set_aside = {row.id for row in rows if row.is_dead_letter}
        if unexpected := refused.keys() - set_aside:
            first = min(unexpected)
            msg = (
                f"{len(unexpected)} of a page cannot be written to the new collection, {first} among them: "
                f"{refused[first]} Mend that and run `tandem rebuild` again: it goes on from here."
            )
            raise RebuildError(msg)
        return True

    async def _written(self, documents: Sequence[Document]) -> dict[int, str]:
        """Write them; where one cannot even be sent, one by one."""
        try:
            return await self.documents.write(documents, self.generation)
        except Unavailable:
            raise
        except Exception:
            if len(documents) == 1:
                raise
            refused: dict[int, str] = {}
            for document in documents:
                refused |= await self.documents.write([document], self.generation)
            return refused


async def patiently(call: Callable[[], Awaitable[R]]) -> R:
    """What it answers, tried again as long as a database is away.

    Raises:
        Unavailable: it is away for long.
    """
    tries = 0
    while True:
        try:
            return await call()
        except Unavailable:
            tries += 1
            if tries == MOST_TRIES:
                raise
            await asyncio.sleep(Backoff().seconds(tries))


def _is_gone(row: Row[Any], document: Document) -> bool:
    """Whether it was deleted so long ago that nothing of it has to be left."""
    if row.stored is None or row.stored.updated_at is None or not is_tombstone(document):
        return False
    return bool(datetime.now(UTC) - row.stored.updated_at > TOMBSTONES_STAY)
