"""The users of all cells, asked as one."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TypeAlias

import msgspec

from tandem.kernel.cells import PATIENCE, Everywhere, Heard, SilentCells
from tandem.mongodb.document import Document, id_of
from tandem.user import StoredUser
from tandem.user_query.fields import Fields
from tandem.user_query.merged_lists import AllLists
from tandem.user_query.search import (
    LONG_ANSWER,
    MOST_EXAMINED,
    PATIENCE_SECONDS,
    Found,
    FoundUser,
    Search,
    Total,
)
from tandem.user_query.service import SHORTEST_READ_SECONDS, UserQueryService

# A search stops by itself before.
_SEARCH_PATIENCE = timedelta(seconds=PATIENCE_SECONDS + 1)
_LONG_AGO = datetime.min.replace(tzinfo=UTC)

#: When the users of these ids were created, by id; who is not there is missing. It may raise Unavailable.
CreatedAt: TypeAlias = Callable[[Sequence[int]], Awaitable[Mapping[int, datetime]]]


class AllUsers:
    """The read side of every cell."""

    def __init__(self, cells: Everywhere[UserQueryService], created_at: CreatedAt) -> None:
        self._cells = cells
        self._created_at = created_at
        self.lists = AllLists(cells.each(lambda users: users.lists))

    def shown(self, user: StoredUser) -> Document:
        """The document that its cell's MongoDB has of this version, or will have."""
        return (self._cells.of(user.id) or self._cells.own).shown(user)

    async def find(self, user_id: int, fields: Fields | None = None) -> Document | None:
        """The user of this id, with these fields at least, or None.

        Raises:
            SilentCells, Unavailable: the MongoDB of the user's cell does not answer.
            Overloaded: too many reads are waiting.
        """
        return await self._cells.ask_for(user_id, lambda users: users.find(user_id, fields))

    async def find_version(
        self, user_id: int, version: int, within_seconds: float, fields: Fields | None = None
    ) -> Document | None:
        """See `UserQueryService`. That MongoDB does not answer is no error: PostgreSQL knows more.

        Raises:
            Overloaded: too many reads are waiting.
        """
        patience = PATIENCE + timedelta(seconds=max(within_seconds, SHORTEST_READ_SECONDS))
        try:
            return await self._cells.ask_for(
                user_id,
                lambda users: users.find_version(user_id, version, within_seconds, fields),
                patience,
            )
        except SilentCells:
            return None

    async def find_newest(
        self, email: str, fields: Fields | None = None
    ) -> tuple[Document | None, Sequence[int]]:
        """The newest user of this address, with these fields at least, and the cells that were not heard.

        Raises:
            SilentCells: a cell does not answer, and no other one has the address; or several have it, and one
                cannot say since when.
            Unavailable, MissingIndex, Overloaded: see `UserQueryService`.
        """
        if self._cells.is_alone:
            return await self._cells.own.find_newest(email, fields), ()
        heard = await self._cells.ask(lambda users: users.find_newest(email, fields))
        found = [document for document in heard.answers.values() if document is not None]
        if not found:
            heard.require_all()
            return None, ()
        return found[0] if len(found) == 1 else await self._newest_of(found), heard.silent

    async def _newest_of(self, documents: Sequence[Document]) -> Document:
        """The one created last. Ids of several cells do not tell, and documents have no such field."""
        since = await self._created_at([id_of(document) for document in documents])

        def age(document: Document) -> tuple[datetime, int]:
            return since.get(id_of(document), _LONG_AGO), id_of(document)

        return max(documents, key=age)

    async def search(self, search: Search) -> tuple[Found, Sequence[int]]:
        """Users that meet the conditions, in order of their ids, and the cells that are left out.

        Raises:
            SilentCells: no cell answers.
            Unavailable, MissingIndex, Overloaded: see `UserQueryService`.
        """
        cells = self._cells
        # An address that one cell knows is looked for exactly in all of them.
        known: Heard[bool] = Heard({})
        if "@" in search.conditions.email:
            known = await cells.ask(lambda users: users.knows(search.conditions.email), _SEARCH_PATIENCE)
        asked = msgspec.structs.replace(
            search,
            is_exact=any(known.answers.values()),
            most_examined=max(1, MOST_EXAMINED // len(cells.parts)),
        )
        heard = await cells.ask(lambda users: users.search(asked), _SEARCH_PATIENCE)
        silent = sorted({*known.silent, *heard.silent})
        return merged(list(heard.answers.values()), search.limit, search.is_newest_first), silent


def merged(found: Sequence[Found], limit: int, is_newest_first: bool = False) -> Found:
    """What cells have found, as one answer: who goes on after `next` misses nobody, and sees nobody twice.

    Each cell has stopped at another id: beyond the first of these, some may be missing.
    """
    if len(found) == 1:
        return found[0]
    stops = [each.next for each in found if each.next is not None]
    sign = -1 if is_newest_first else 1
    stop = min(stops, key=lambda id_: sign * id_, default=None)
    known = [user for each in found for user in each.users if stop is None or sign * user.id <= sign * stop]
    users: list[FoundUser] = []
    size = 0
    for user in sorted(known, key=lambda user: sign * user.id):
        if len(users) == limit or size > LONG_ANSWER:
            stop = users[-1].id
            break
        users.append(user)
        size += len(user.json)
    totals = [each.total for each in found if each.total]
    total = (
        Total(sum(each.users for each in totals), all(each.is_exact for each in totals)) if totals else None
    )
    return Found(users, stop, sum(each.examined for each in found), total)
