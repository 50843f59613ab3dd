"""Documents exactly as MongoDB stores them, byte for byte, over the whole space of ids.

Ids that Tandem gives to nobody (text, ObjectIds, fractions, numbers below 1) are there, too, if somebody has
put them in. So ranges are bounds of the index on `_id`, which order values of all types; a condition such as
`{"$gt": 7}` would see numbers alone.
"""

import struct
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from typing import Any

import bson
from bson.raw_bson import RawBSONDocument
from pymongo import ReadPreference
from pymongo.read_concern import ReadConcern

from tandem.mongodb.client import LENIENT, Collection, Filter, translated
from tandem.mongodb.document import DELETED_AT, Document
from tandem.mongodb.indexes import BY_ID, BY_SEED

PAGE = 2_000
# The driver types these as cursors of documents.
Batches = Any
_length = struct.Struct("<i").unpack_from


class StoredDocuments:
    """The documents of one collection, in bytes, as a majority has them at the primary."""

    def __init__(self, collection: Callable[[], Collection]) -> None:
        """`collection` is asked for anew by each call: another one may be live by then."""
        self._collection = collection

    def _at_primary(self, concern: str) -> Collection:
        return self._collection().with_options(
            read_preference=ReadPreference.PRIMARY, read_concern=ReadConcern(concern)
        )

    async def between(
        self, low: int | None, high: int | None, seed: str | None = None
    ) -> AsyncIterator[list[bytes]]:
        """Pages of all with `low <= _id < high` in the order of MongoDB's ids; None has no bound.

        Raises:
            Unavailable: MongoDB does not answer.
        """
        wanted: Filter = {} if seed is None else {"seed": seed}
        bounds: dict[str, Any] = {"max": {"_id": high}} if high is not None else {}
        if low is not None:
            bounds["min"] = {"_id": low}
        page = await self._page(wanted, bounds, PAGE)
        yield page
        while len(page) >= PAGE:
            # A lower bound includes its id. One more is read, and the first left out.
            last = id_in(page[-1])
            bounds["min"] = {"_id": last}
            page = await self._page(wanted, bounds, PAGE + 1)
            page = page[1:] if page and id_in(page[0]) == last else page
            yield page

    async def _page(self, wanted: Filter, bounds: dict[str, Any], limit: int) -> list[bytes]:
        with translated():
            cursor: Batches = self._at_primary("majority").find_raw_batches(
                wanted, hint=BY_ID, limit=limit, batch_size=limit + 1, **bounds
            )
            return [document async for batch in cursor for document in split(batch)]

    async def of_ids(self, ids: Sequence[Any]) -> list[bytes]:
        """Those of these ids, acknowledged by a majority when this was called, or later.

        Raises:
            Unavailable: MongoDB does not answer.
        """
        with translated():
            # A primary that is none any more may not know it: only this concern asks the others.
            now = self._at_primary("linearizable")
            cursor: Batches = now.find_raw_batches({"_id": {"$in": ids}}, batch_size=len(ids) + 1)
            return [document async for batch in cursor for document in split(batch)]

    async def count_of_run(self, seed: str, low: int, high: int) -> tuple[int, int]:
        """How many of a run are no tombstones, and how many in all are not in `low <= _id <= high`.

        Raises:
            Unavailable: MongoDB does not answer.
        """
        collection, of_run = self._at_primary("majority"), {"seed": seed}
        among: Filter = {**of_run, "_id": {"$gte": low, "$lte": high}}
        with translated():
            counts = [
                await collection.count_documents(each, hint=BY_SEED)
                for each in (of_run, {**of_run, DELETED_AT: {"$exists": True}}, among)
            ]
        return counts[0] - counts[1], counts[0] - counts[2]

    async def give_way(self, stored: bytes, document: Document) -> None:
        """Take its version from exactly this document, so that the flow writes `document` over it.

        Raises:
            Unavailable: MongoDB does not answer.
        """
        identity = {name: document[name] for name in ("seed", "createdAt") if name in document}
        with translated():
            await self._collection().update_one(_exactly(stored), {"$set": {"version": 0, **identity}})

    async def remove(self, stored: bytes) -> bool:
        """Remove exactly this document. Whether it was still there.

        Raises:
            Unavailable: MongoDB does not answer.
        """
        with translated():
            result = await self._collection().delete_one(_exactly(stored))
        return bool(result.deleted_count)


def split(batch: bytes) -> Iterator[bytes]:
    """The documents of a batch, each of which begins with its length."""
    place = 0
    while place < len(batch):
        (length,) = _length(batch, place)
        yield batch[place : place + length]
        place += length


def id_in(stored: bytes) -> Any:
    """Its `_id`, of whatever type."""
    return opened(stored)["_id"]


def opened(stored: bytes) -> Document:
    """What is in it, as far as it can be read."""
    return bson.decode(stored, LENIENT)


def _exactly(stored: bytes) -> Filter:
    raw = RawBSONDocument(stored)
    return {"_id": raw["_id"], "$expr": {"$eq": ["$$ROOT", {"$literal": raw}]}}
