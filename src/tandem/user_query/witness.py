"""MongoDB as a witness: which ids were given, whatever PostgreSQL remembers of it."""

from collections.abc import Sequence

import pymongo

from tandem.user_query.database import Users, translated

_SECONDS = 2
# What else somebody may have put into the collection has no id that could be ours.
IDS = {"_id": {"$gt": 0, "$lt": 2**53}}


class Witness:
    """Tells what MongoDB knows of ids."""

    def __init__(self, users: Users) -> None:
        self._users = users

    async def highest_id(self) -> int:
        """The highest id of all users here; 0 if there is none.

        Raises:
            Unavailable: MongoDB does not answer soon.
        """
        with translated(), pymongo.timeout(_SECONDS):
            found = await self._users.find_one(IDS, {"_id": 1}, sort=[("_id", pymongo.DESCENDING)])
        return int(found["_id"]) if found else 0

    async def ids_between(self, ranges: Sequence[tuple[int, int]], most: int) -> list[int]:
        """The ids above the first and below the second of one of these pairs; at most `most`.

        Raises:
            Unavailable: MongoDB does not answer soon.
        """
        if not ranges:
            return []
        wanted = {"$or": [{"_id": {"$gt": above, "$lt": below}} for above, below in ranges]}
        with translated(), pymongo.timeout(_SECONDS):
            found = await self._users.find(wanted, {"_id": 1}, limit=most, batch_size=most + 1).to_list(None)
        return [int(document["_id"]) for document in found]
