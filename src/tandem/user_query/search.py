"""Search on the query side: any mix of conditions, at a cost that does not grow with the collection.

A request walks one index in order of ids, from where the last one stopped, and looks at no more than 20,000
documents. What it has found by then is its answer, be it nothing, and `next` goes on from there. So it needs
no index of its own, for which every user written would have to pay. An answer that becomes long ends early.
"""

from collections.abc import Sequence
from typing import NamedTuple

import msgspec
import pymongo
from msgspec.structs import replace

from tandem.ids import HIGHEST_ID
from tandem.mongodb.client import Collection, Filter, between, translated
from tandem.mongodb.document import DELETED_AT, id_of
from tandem.mongodb.generations import Collections
from tandem.mongodb.indexes import BY_ID, BY_SEED, Index
from tandem.user_query.fields import Fields, encode, projection_of
from tandem.user_query.folding import pattern_of
from tandem.user_query.indexes import BY_EMAIL

MOST_EXAMINED = 20_000
PATIENCE_SECONDS = 5

# An answer ends with the user that makes it longer than this, in bytes: many may wait to be read by clients.
LONG_ANSWER = 262_144
# Documents that are taken from MongoDB at a time: at most 2 MB of the largest users.
MOST_A_BATCH = 50


class Conditions(msgspec.Struct, frozen=True):
    """What a user must be like; an empty text stands for anything.

    `seed`, `app_id` and `status` are exact. `email`, `country` and each word of `name` (in the first or the
    last name) may stand anywhere in the text, in capitals or not, with accents or without. An `email` that
    somebody has is exact, too.
    """

    email: str = ""
    name: str = ""
    country: str = ""
    seed: str = ""
    app_id: str = ""
    status: str = ""


class Search(msgspec.Struct, frozen=True):
    """What to search for: at most `limit` users that meet the conditions, with ids above `after`.

    `is_newest_first`: from the highest id down, with ids below `after`; 0 begins. `is_counted`: how many
    there are is wanted, too. `is_exact`: somebody has exactly the address that is asked for.
    `most_examined`: how many documents may be looked at. `fields`: which of them are shown; None: all.
    """

    conditions: Conditions
    limit: int
    after: int
    fields: Fields | None = None
    is_exact: bool = False
    is_newest_first: bool = False
    is_counted: bool = False
    most_examined: int = MOST_EXAMINED


class FoundUser(NamedTuple):
    """The id of a user that was found, and the user as JSON."""

    id: int
    json: msgspec.Raw


class Total(msgspec.Struct, frozen=True, rename="camel"):
    """How many users meet the conditions: all of them, or at least so many."""

    users: int
    is_exact: bool


class Found(msgspec.Struct, frozen=True):
    """The users found, the id from where to go on (None at the end), and how many documents it took."""

    users: Sequence[FoundUser]
    next: int | None
    examined: int
    total: Total | None = None


class UserSearch:
    """Searches MongoDB."""

    def __init__(self, collections: Collections) -> None:
        self._collections = collections

    async def knows(self, email: str) -> bool:
        """Whether somebody has exactly this address: one look into its index.

        Raises:
            Unavailable: MongoDB does not answer, or not within five seconds.
            MissingIndex: the index of addresses is not there.
        """
        if "@" not in email:
            return False
        with translated(), pymongo.timeout(PATIENCE_SECONDS):
            return await self._collections.read(lambda users: _is_known(users, email))

    async def find(self, search: Search) -> Found:
        """Users that meet the conditions, in order of their ids.

        Raises:
            Unavailable: MongoDB does not answer, or not within five seconds.
            MissingIndex: the index to walk is not there.
        """
        with translated(), pymongo.timeout(PATIENCE_SECONDS):
            return await self._collections.read(lambda users: _find(users, search))


async def _find(users: Collection, search: Search) -> Found:
    conditions, exact = search.conditions, search.is_exact
    walked, index = _walked(conditions, exact_email=exact)
    others = _others(conditions, exact_email=exact)
    end = await _end(users, walked, index, search)
    found, last = await _collect(users, {**_window(walked, search, end), **others}, index, search)
    stop = end if last is None else last
    examined = await users.count_documents(_window(walked, search, stop), hint=index)
    if not search.is_counted:
        return Found(found, stop, examined)
    whole = replace(search, after=0)
    end = await _end(users, walked, index, whole)
    count = await users.count_documents({**_window(walked, whole, end), **others}, hint=index)
    return Found(found, stop, examined, Total(count, end is None))


def _window(walked: Filter, search: Search, end: int | None = None) -> Filter:
    """What is walked over from where the last answer ended up to the id `end`; None: to the end."""
    if not search.is_newest_first:
        return between(walked, search.after, end)
    return {**walked, "_id": {"$gte": end or 1, "$lte": search.after - 1 if search.after else HIGHEST_ID}}


def _sort(search: Search) -> Index:
    return [("_id", pymongo.DESCENDING)] if search.is_newest_first else BY_ID


async def _collect(
    users: Collection, matching: Filter, index: Index, search: Search
) -> tuple[list[FoundUser], int | None]:
    """The users that match, and the id of the last one where there may be more; else None."""
    found: list[FoundUser] = []
    size = 0
    cursor = users.find(
        matching,
        projection_of([search.fields]),
        sort=_sort(search),
        limit=search.limit,
        batch_size=min(search.limit + 1, MOST_A_BATCH),
        hint=index,
    )
    async with cursor:
        async for document in cursor:
            found.append(FoundUser(id_of(document), msgspec.Raw(encode(document, search.fields))))
            size += len(found[-1].json)
            if len(found) == search.limit or size > LONG_ANSWER:
                return found, found[-1].id
    return found, None


async def _is_known(users: Collection, email: str) -> bool:
    return await users.find_one({"email": email}, {"_id": 1}, hint=BY_EMAIL) is not None


async def _end(users: Collection, walked: Filter, index: Index, search: Search) -> int | None:
    """The id of the last document that may be looked at; None where the rest is few enough."""
    cursor = users.find(_window(walked, search), {"_id": 1}, sort=_sort(search), hint=index)
    last = await cursor.skip(search.most_examined - 1).limit(1).to_list(None)
    return id_of(last[0]) if last else None


def _walked(conditions: Conditions, *, exact_email: bool) -> tuple[Filter, Index]:
    """The part of the collection that an index leads to in order of ids, and that index."""
    if exact_email:
        return {"email": conditions.email}, BY_EMAIL
    if conditions.seed:
        return {"seed": conditions.seed}, BY_SEED
    return {}, BY_ID


def _others(conditions: Conditions, *, exact_email: bool) -> Filter:
    """What each document that is walked over has to be like."""
    exact = {"seed": conditions.seed, "appId": conditions.app_id, "currentStatus": conditions.status}
    wanted: Filter = {DELETED_AT: None} | {field: value for field, value in exact.items() if value}
    if conditions.email and not exact_email:
        wanted["email"] = _containing(conditions.email)
    if conditions.country:
        wanted["location.country"] = _containing(conditions.country)
    words = [_containing(word) for word in conditions.name.split()]
    if words:
        wanted["$and"] = [{"$or": [{"name.first": word}, {"name.last": word}]} for word in words]
    return wanted


def _containing(text: str) -> Filter:
    return {"$regex": pattern_of(text), "$options": "i"}
