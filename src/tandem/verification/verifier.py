"""Compares the rows and the documents of a range of ids, while commands, updates and deletes go on.

The first look reads both sides one after the other, and what is byte for byte what it should be is equal. The
rest is suspect, often only since it was written between the two reads. A suspect is looked at again: its row,
then its document, then its row once more. A row that is not pending says that MongoDB has acknowledged its
version, so the document must have been there in between. Only what was not pending at both times, at one
version, and unlike its document is a difference. Where a row has moved on, the look is repeated.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import bson

from tandem.delivery.source import Row
from tandem.ids import HIGHEST_ID
from tandem.mongodb.document import Document, is_tombstone, version_of
from tandem.mongodb.stored import id_in, opened
from tandem.verification.differences import Difference, Tally, What, fields_that_differ, id_text
from tandem.verification.kinds import VerifiedKind

PAGE = 1_000
LOOKS = 6
FIRST_PAUSE_SECONDS = 0.02

#: Told of differences as they are found, at most a page at a time.
Found = Callable[[Sequence[Difference]], Awaitable[None]]
#: Ids above the first and below the second of each pair were given by a history that is lost.
Gaps = Sequence[tuple[int, int]]


async def _no_rest() -> None:
    """Who has been told to be quick."""


class Pace(NamedTuple):
    """So many rows at a time, and after each page a rest."""

    rows: int = PAGE
    rest: Callable[[], Awaitable[None]] = _no_rest


class Verifier:
    """Compares one kind."""

    def __init__(
        self,
        kind: VerifiedKind,
        found: Found,
        gaps: Gaps = (),
        seed: str | None = None,
        pace: Pace = Pace(),  # noqa: B008 - it never changes
    ) -> None:
        """`seed`: only what belongs to this run, on either side."""
        self._kind = kind
        self._found = found
        self._gaps = gaps
        self._seed = seed
        self._pace = pace

    async def verify(self, after: int = 0, through: int = HIGHEST_ID) -> Tally:
        """Compare everything with ids above `after` and up to `through`.

        Where that is all ids, documents whose ids no row can have are in it, too.

        Raises:
            Unavailable: a database does not answer.
        """
        tally = Tally()
        while after < through:
            page = await self._kind.source.page(after, self._pace.rows, through, self._seed)
            await self._compare(page.rows, after, page.through, tally)
            after = page.through
            await self._pace.rest()
        return tally

    async def look_again(self, ids: Sequence[Any], tally: Tally) -> tuple[list[Difference], Sequence[Any]]:
        """Those of these ids, of whatever type, that are different, and those that are still on their way.

        All are counted in `tally`, but for the differences.

        Raises:
            Unavailable: a database does not answer.
        """
        differences: list[Difference] = []
        numbers = [id_ for id_ in ids if _may_have_row(id_)]
        before = await self._rows(numbers)
        for turn in range(LOOKS):
            stored = {_key(id_in(one)): one for one in await self._kind.documents.of_ids(ids)}
            after = await self._rows(numbers)
            settled = [id_ for id_ in ids if _is_settled(before.get(_key(id_)), after.get(_key(id_)))]
            differences += await self._judge(settled, after, stored, tally)
            done = {_key(id_) for id_ in settled}
            ids = [id_ for id_ in ids if _key(id_) not in done]
            if not ids:
                return differences, ids
            numbers = [id_ for id_ in numbers if _key(id_) not in done]
            before = after
            await asyncio.sleep(FIRST_PAUSE_SECONDS * 2**turn)
        tally.pending += len(ids)
        return differences, ids

    async def _compare(self, rows: Sequence[Row[Any]], after: int, through: int, tally: Tally) -> None:
        """Compare these rows, which are all up to `through`, with the documents of their range."""
        tally.checked += len(rows)
        expected = await self._expected(
            [row for row in rows if row.stored is not None and not _is_on_its_way(row)]
        )
        left = {row.id: row for row in rows}
        low = after + 1 if after else None
        high = through + 1 if through < HIGHEST_ID else None
        async for documents in self._kind.documents.between(low, high, self._seed):
            unlike: list[bytes] = []
            for stored in documents:
                id_ = expected.pop(stored, None)
                if id_ is None:
                    unlike.append(stored)
                else:
                    del left[id_]
                    tally.equal += 1
            ids = [id_in(stored) for stored in unlike]
            known = [id_ for id_ in ids if _key(id_) in left]
            tally.checked += len(ids) - len(known)
            for id_ in known:
                del left[_key(id_)]
            await self._tell(ids, tally)
        await self._tell(list(left), tally)

    async def _expected(self, rows: Sequence[Row[Any]]) -> dict[bytes, int]:
        """The ids of these by what MongoDB should have, byte for byte. Tombstones have the time in them."""
        documents = await self._kind.documents_of([row.stored for row in rows])
        return {
            bson.encode(document): row.id
            for row, document in zip(rows, documents, strict=True)
            if not isinstance(document, str)
        }

    async def _tell(self, suspects: Sequence[Any], tally: Tally) -> None:
        for first in range(0, len(suspects), PAGE):
            differences, _ = await self.look_again(suspects[first : first + PAGE], tally)
            if differences:
                tally.differences.update(each.what for each in differences)
                await self._found(differences)

    async def _rows(self, ids: Sequence[Any]) -> dict[Any, Row[Any]]:
        rows = await self._kind.source.rows([_key(id_) for id_ in ids]) if ids else ()
        return {row.id: row for row in rows}

    async def _judge(
        self, ids: Iterable[Any], rows: Mapping[Any, Row[Any]], stored: Mapping[Any, bytes], tally: Tally
    ) -> list[Difference]:
        """Those of these that are different; the rest is counted."""
        ids = list(ids)
        there = [row for id_ in ids if (row := rows.get(_key(id_))) is not None]
        readable = [row for row in there if row.stored is not None and not row.is_dead_letter]
        made = await self._kind.documents_of([row.stored for row in readable])
        documents = {row.id: document for row, document in zip(readable, made, strict=True)}
        differences = []
        for id_ in ids:
            row, found = rows.get(_key(id_)), stored.get(_key(id_))
            if row is not None and row.is_dead_letter:
                tally.set_aside += 1
            elif (one := self._difference(id_, row, found, documents.get(_key(id_)))) is not None:
                differences.append(one)
            else:
                tally.equal += row is not None
                # What was put in and taken out again meanwhile is nothing that was checked.
                tally.checked -= row is None
        return differences

    def _difference(
        self, id_: Any, row: Row[Any] | None, stored: bytes | None, document: Document | str | None
    ) -> Difference | None:
        kind = self._kind.kind
        if row is None:
            number = _key(id_)
            lost = _may_have_row(id_) and any(above < number < below for above, below in self._gaps)
            what = What.LOST if lost else What.SURPLUS
            return None if stored is None else Difference(kind, id_text(id_), what, stored=stored)
        text, version = id_text(row.id), row.version
        if document is None or isinstance(document, str):
            why = document or f"cannot be read: {row.why_unreadable}"
            return Difference(kind, text, What.DIFFERING, version, stored=stored, why_unreadable=why)
        if stored is None:
            # Of a deleted one nothing is left after a day.
            return (
                None
                if is_tombstone(document)
                else Difference(kind, text, What.MISSING, version, document=document)
            )
        found = opened(stored)
        fields = self._fields_that_differ(row, found, document)
        if not fields:
            return None
        what = What.STALE if version_of(found) < version else What.DIFFERING
        return Difference(kind, text, what, version, fields, stored, document)

    def _fields_that_differ(self, row: Row[Any], stored: Document, document: Document) -> tuple[str, ...]:
        free = {"_id", *self._kind.free_fields(row.stored, document)}
        document = opened(bson.encode(document))  # with MongoDB's types: a tuple is a list there
        found, wanted = (
            {name: value for name, value in self._kind.normal(side).items() if name not in free}
            for side in (stored, document)
        )
        shape = [] if is_tombstone(stored) == is_tombstone(document) else ["deletedAt"]
        return tuple(dict.fromkeys([*fields_that_differ(found, wanted), *shape]))


def _is_on_its_way(row: Row[Any]) -> bool:
    return row.is_pending or row.is_dead_letter


def _is_settled(before: Row[Any] | None, after: Row[Any] | None) -> bool:
    """Whether what MongoDB had in between can be held against the row."""
    if before is None or after is None:
        return before is after
    return (before.version, before.is_pending, after.is_pending) == (after.version, False, False)


def _may_have_row(id_: Any) -> bool:
    """Whether PostgreSQL can have such an id."""
    number = _key(id_)
    return isinstance(number, int) and 1 <= number <= HIGHEST_ID


def _key(id_: Any) -> Any:
    """What two ids have in common that MongoDB takes for the same: 7, 7.0 and Decimal128("7")."""
    if isinstance(id_, bool):
        return id_text(id_)
    if isinstance(id_, int):
        return int(id_)
    if hasattr(id_, "to_decimal"):
        id_ = id_.to_decimal()
        return int(id_) if id_.is_finite() and id_ == id_.to_integral_value() else f"decimal {id_}"
    if isinstance(id_, float):
        return int(id_) if id_.is_integer() else id_text(id_)
    return id_text(id_)
