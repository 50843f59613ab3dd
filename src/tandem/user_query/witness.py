"""MongoDB as a witness: which ids were given, whatever PostgreSQL remembers of it."""

from collections.abc import Sequence

import pymongo

from tandem.mongodb.client import Collection, between, translated
from tandem.mongodb.document import id_of

_SECONDS = 2


class Witness:
    """Tells what one of MongoDB's collections knows of ids."""

    def __init__(self, collection: Collection) -> None:
        self._collection = collection

    async def highest_id(self) -> int:
        """The highest id here; 0 if there is none.

        Raises:
            Unavailable: MongoDB does not answer soon.
        """
        with translated(), pymongo.timeout(_SECONDS):
            newest_first = [("_id", pymongo.DESCENDING)]
            found = await self._collection.find_one(between({}, 0), {"_id": 1}, sort=newest_first)
        return id_of(found) if found else 0

    async def ids_between(self, ranges: Sequence[tuple[int, int]], most: int) -> list[int]:
        """The ids above the first and below the second of one of these pairs; at most `most`.

        Raises:
            Unavailable: MongoDB does not answer soon.
        """
        if not ranges:
            return []
        wanted = {"$or": [{"_id": {"$gt": above, "$lt": below}} for above, below in ranges]}
        with translated(), pymongo.timeout(_SECONDS):
            cursor = self._collection.find(wanted, {"_id": 1}, limit=most, batch_size=most + 1)
            found = await cursor.to_list(None)
        return [id_of(document) for document in found]
