"""Lists of users, read and sent in pieces: no more of a list is in memory than what its client has not taken.

Each piece is a query of its own that goes on after the last id. So a client that reads slowly holds nothing
at MongoDB, and one that leaves has at most one small query under way.
"""

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from datetime import timedelta
from typing import TypeAlias

import msgspec
from msgspec.structs import replace

from tandem.kernel import Overloaded
from tandem.mongodb.document import Document
from tandem.user_query.fields import Fields, encode, projection_of
from tandem.user_query.repository import UserQueryRepository
from tandem.user_query.share import Share

# A list of so many users is answered whole; a longer one begins with them. At most 1 MB.
FIRST_PIECE = 25
MOST_A_PIECE = 100
# How large pieces shall be, in bytes, by what the users before were like.
PIECE_SIZE = 262_144
# A client that takes longer for a whole list gives up its place.
LONGEST = timedelta(minutes=2)


#: Reads so many of the users that come next; fewer only at the end.
NextUsers: TypeAlias = Callable[[int], Awaitable[list[Document]]]


class Listed(msgspec.Struct, frozen=True):
    """Which users to list: at most `limit`, with ids above `after` and up to `through`, of one run or all.

    `fields`: which of them are shown; None: all.
    """

    limit: int
    after: int
    seed: str | None = None
    through: int | None = None
    fields: Fields | None = None


class UserLists:
    """Reads lists for this instance. Queries have their share of it, and long lists theirs."""

    def __init__(self, repository: UserQueryRepository) -> None:
        self._repository = repository
        self.queries = Share("lists", at_a_time=4, most_waiting=1_000, patience=timedelta(seconds=5))
        self.long = Share("long lists", at_a_time=16, most_waiting=100, patience=timedelta(seconds=10))

    async def short(self, wanted: Listed) -> bytes:
        """A list of at most `FIRST_PIECE` users, as JSON.

        Raises:
            Unavailable, MissingIndex: MongoDB cannot answer.
            Overloaded: too many lists are being read.
        """
        return encoded_list(await self.piece(wanted), wanted.fields)

    async def pieces(self, wanted: Listed, more: NextUsers | None = None) -> AsyncIterator[bytes]:
        """A list of any length, as JSON in pieces.

        Args:
            wanted: which users.
            more: reads so many of the users that come next; None: those of this cell.

        Raises:
            Unavailable, MissingIndex: MongoDB cannot answer.
            Overloaded: too many lists are being read, or the client took too long for this one.
        """
        async with self.long.one():
            started = time.monotonic()
            more = more or self._one_after_the_other(wanted)
            left = wanted.limit
            size = min(FIRST_PIECE, left)
            opening = b"["
            while size:
                users = await more(size)
                encoded = [encode(user, wanted.fields) for user in users]
                if users:
                    yield opening + b",".join(encoded)
                    opening = b","
                left -= len(users)
                size = min(left, _next_size(encoded)) if len(users) == size else 0
                if time.monotonic() - started > LONGEST.total_seconds():
                    raise Overloaded("long lists: the client took too long.")
            yield b"]" if opening == b"," else b"[]"

    def _one_after_the_other(self, wanted: Listed) -> NextUsers:
        after = wanted.after

        async def more(size: int) -> list[Document]:
            nonlocal after
            users = await self.piece(replace(wanted, limit=size, after=after))
            if users:
                after = users[-1]["_id"]
            return users

        return more

    async def piece(self, wanted: Listed) -> list[Document]:
        """These users, read with one query.

        Raises: see `short`.
        """
        async with self.queries.one():
            which = (wanted.limit, wanted.after, wanted.seed, wanted.through)
            return await self._repository.page(*which, projection=projection_of([wanted.fields]))


def encoded_list(users: Iterable[Document], fields: Fields | None) -> bytes:
    """These fields of them as JSON."""
    return b"[%b]" % b",".join(encode(user, fields) for user in users)


def _next_size(encoded: list[bytes]) -> int:
    """How many users make the next piece, if they are like these."""
    mean = sum(map(len, encoded)) // len(encoded)
    return max(1, min(MOST_A_PIECE, PIECE_SIZE // mean))
