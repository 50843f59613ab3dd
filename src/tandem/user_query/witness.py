"""MongoDB as a witness: which ids were given, whatever PostgreSQL remembers of it."""

from collections.abc import Sequence

import pymongo

from tandem.mongodb.client import Collection, between, translated
from tandem.mongodb.document import Document, id_of
from tandem.mongodb.generations import Collections

_SECONDS = 2


class Witness:
    """Tells what MongoDB's collections of one kind know of ids."""

    def __init__(self, collections: Collections) -> None:
        self._collections = collections

    async def highest_id(self) -> int:
        """The highest id in any generation that is written; 0 if there is none.

        Raises:
            Unavailable: MongoDB does not answer soon.
        """
        with translated(), pymongo.timeout(_SECONDS):
            written = self._collections.projection.written
            return max([await _highest_in(self._collections.of(each)) for each in written])

    async def ids_between(self, ranges: Sequence[tuple[int, int]], most: int) -> list[int]:
        """The ids above the first and below the second of one of these pairs; at most `most`.

        Raises:
            Unavailable: MongoDB does not answer soon.
        """
        if not ranges:
            return []
        wanted = {"$or": [{"_id": {"$gt": above, "$lt": below}} for above, below in ranges]}
        with translated(), pymongo.timeout(_SECONDS):

            async def ask(collection: Collection) -> list[Document]:
                return await collection.find(wanted, {"_id": 1}, limit=most, batch_size=most + 1).to_list(
                    None
                )

            found = await self._collections.read(ask)
        return [id_of(document) for document in found]


async def _highest_in(collection: Collection) -> int:
    newest_first = [("_id", pymongo.DESCENDING)]
    found = await collection.find_one(between({}, 0), {"_id": 1}, sort=newest_first)
    return id_of(found) if found else 0
