"""The query side's service: writes documents for the flow, and reads them, gathered into few calls."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from datetime import timedelta
from typing import TypeAlias

from tandem.cqrs import UserEventCommandAggregate
from tandem.delivery.acknowledgements import PAUSES
from tandem.kernel import BatchPolicy, Coalescer, Unavailable
from tandem.mongodb.document import Document, is_tombstone, version_of
from tandem.mongodb.generations import Generation, Projection
from tandem.mongodb.identity import fingerprint_in
from tandem.mongodb.indexes import MissingIndex
from tandem.user import StoredUser
from tandem.user.stored import uptime
from tandem.user_query.document import document_of
from tandem.user_query.fields import Fields, projection_of
from tandem.user_query.lists import UserLists
from tandem.user_query.repository import UserQueryRepository
from tandem.user_query.search import Found, Search, UserSearch
from tandem.user_query.share import Share

# One batch in flight: with two the rate is the same, and a read costs a tenth more here, a fifth in MongoDB.
READS = BatchPolicy(max_batch=200, max_waiting=5_000)

# Searches at a time: each keeps one of MongoDB's threads, and a part of this one, busy for some 50 ms.
SEARCHES = 2

# A version that was read or committed longer ago is not written any more. It has to be far less than the time
# that a tombstone stays (`mongodb/indexes.py`, `TOMBSTONES_STAY`), or a deleted user could come back.
LONGEST_WAY_SECONDS = 3_600.0

# Where a reader wants a version: how long MongoDB has for one read, even if the reader would not wait at all.
SHORTEST_READ_SECONDS = 0.5

ById: TypeAlias = tuple[int, Fields | None]
ByEmail: TypeAlias = tuple[str, Fields | None]
Write: TypeAlias = Callable[[Sequence[Document], Generation], Awaitable[dict[int, str]]]

logger = logging.getLogger(__name__)


class UserQueryService:
    """Users on the query side; see `cqrs.handlers.QuerySide` for what the flow asks of it."""

    def __init__(self, repository: UserQueryRepository, search: UserSearch) -> None:
        self._repository = repository
        self._search = search
        #: Users whose documents MongoDB has acknowledged since this instance began.
        self.projected = 0
        #: What kept the last batch of documents from being written; empty after one that was.
        self.trouble = ""
        self.lists = UserLists(repository)
        self.searches = Share("searches", at_a_time=SEARCHES, most_waiting=200, patience=timedelta(seconds=5))
        self._by_id = Coalescer("read by id", self._read_by_ids, READS)
        self._by_email = Coalescer("read by e-mail", self._read_by_emails, READS)

    @property
    def coalescers(
        self,
    ) -> Sequence[Coalescer[ById, Document | None] | Coalescer[ByEmail, Document | None]]:
        """The two that gather reads: for metrics and the orderly stop."""
        return [self._by_id, self._by_email]

    async def create(self, users: Sequence[StoredUser]) -> Sequence[UserEventCommandAggregate]:
        """Write new users' documents; each aggregate says whether MongoDB refused its user permanently.

        Raises:
            Unavailable: MongoDB does not answer. Doing it again is harmless.
        """
        return await self._project(users, users, self._repository.write)

    async def change(self, users: Sequence[StoredUser]) -> Sequence[UserEventCommandAggregate]:
        """Write later versions of users; of several of one user, only the latest.

        Raises:
            Unavailable: MongoDB does not answer. Doing it again is harmless.
        """
        latest = {user.id: user for user in sorted(users, key=lambda user: user.version)}
        return await self._project(users, list(latest.values()), self._repository.write_later_versions)

    async def _project(
        self, users: Sequence[StoredUser], wanted: Sequence[StoredUser], write: Write
    ) -> Sequence[UserEventCommandAggregate]:
        """Write those that are wanted, and say of all what became of them."""
        # What is older stays pending, and recovery reads it again: no tombstone may have gone before it
        # comes.
        oldest = uptime() - LONGEST_WAY_SECONDS
        fresh = [user for user in wanted if user.read_at > oldest]
        # As it is now for the whole batch: a later one may have a further generation.
        projection = self._repository.projection
        refused = await self._written(fresh, write, projection) if fresh else {}
        epoch = projection.epoch
        if len(fresh) == len(users):
            return [UserEventCommandAggregate(user, refused.get(user.id), epoch=epoch) for user in users]
        written = {id(user) for user in fresh}
        return [
            UserEventCommandAggregate(
                user, refused.get(user.id), is_skipped=id(user) not in written, epoch=epoch
            )
            for user in users
        ]

    async def _written(
        self, users: Sequence[StoredUser], write: Write, projection: Projection
    ) -> Mapping[int, str]:
        """Write them to each generation. By id, why one is refused."""
        refused: dict[int, str] = {}
        try:
            for generation in projection.written:
                refused |= await write([document_of(user, generation.shape) for user in users], generation)
        except Unavailable as error:
            self.trouble = str(error)
            raise
        self.trouble = ""
        self.projected += len(users) - len(refused)
        if refused:
            user_id, reason = next(iter(refused.items()))
            what = "%d users become dead letters, user %d among them. %s"
            logger.error(what, len(refused), user_id, reason)
        return refused

    async def replace(self, user: StoredUser, reason: str) -> bool:
        """Write the user over somebody else's document, which `reason` (of its dead letter) is about.

        False where the reason is no identity conflict.

        Raises:
            DocumentChanged: MongoDB has another document by now, or refuses this one.
            Unavailable: MongoDB does not answer. Doing it again is harmless.
        """
        fingerprint = fingerprint_in(reason)
        if fingerprint is None:
            return False
        for generation in self._repository.projection.written:
            await self._repository.replace(document_of(user, generation.shape), fingerprint, generation)
        logger.warning("User %d took the place of document %s, as asked for.", user.id, fingerprint)
        return True

    def shown(self, user: StoredUser) -> Document:
        """The document that MongoDB has of this version, or will have."""
        return document_of(user, self._repository.projection.live.shape)

    async def find(self, user_id: int, fields: Fields | None = None) -> Document | None:
        """The user of this id, with these fields at least, or None.

        Raises:
            Unavailable: MongoDB does not answer.
            Overloaded: too many reads are waiting.
        """
        document = await self._by_id.submit((user_id, fields))
        return None if document is None or is_tombstone(document) else document

    async def find_version(
        self, user_id: int, version: int, within_seconds: float, fields: Fields | None = None
    ) -> Document | None:
        """The user's document or tombstone, of this version or a later one; None if MongoDB has none by then.

        It has these fields at least.

        Where MongoDB does not answer, that is no error: PostgreSQL knows more.

        Raises:
            Overloaded: too many reads are waiting.
        """
        return await of_version(lambda: self._by_id.submit((user_id, fields)), version, within_seconds)

    async def find_newest(self, email: str, fields: Fields | None = None) -> Document | None:
        """The newest user of this address, with these fields at least, or None.

        Raises:
            Unavailable: MongoDB does not answer.
            MissingIndex: the index of addresses is not there.
            Overloaded: too many reads are waiting.
        """
        return await self._by_email.submit((email, fields))

    async def knows(self, email: str) -> bool:
        """Whether somebody has exactly this address.

        Raises: see `search`.
        """
        if "@" not in email:
            return False
        async with self.searches.one():
            return await self._search.knows(email)

    async def search(self, search: Search) -> Found:
        """Users that meet the conditions, ascending by id.

        Raises:
            Unavailable: MongoDB does not answer in time.
            MissingIndex: the index to walk is not there.
            Overloaded: too many searches are waiting.
        """
        async with self.searches.one():
            return await self._search.find(search)

    async def _read_by_ids(self, asked: Sequence[ById]) -> Sequence[Document | None]:
        projection = projection_of(fields for _, fields in asked)
        found = await self._repository.find_by_ids(list({user_id for user_id, _ in asked}), projection)
        return [found.get(user_id) for user_id, _ in asked]

    async def _read_by_emails(self, asked: Sequence[ByEmail]) -> Sequence[Document | BaseException | None]:
        emails = list({email for email, _ in asked})
        projection = projection_of((fields for _, fields in asked), "email")
        try:
            found = await self._repository.find_newest_by_emails(emails, projection)
        except MissingIndex:
            return [MissingIndex() for _ in asked]
        return [found.get(email) for email, _ in asked]


async def of_version(
    read: Callable[[], Awaitable[Document | None]], version: int, within_seconds: float
) -> Document | None:
    """The document or tombstone that `read` answers, once it has this version or a later one.

    None if it has none by then, or where MongoDB does not answer: PostgreSQL knows more.

    Raises:
        Overloaded: too many reads are waiting.
    """

    async def ask() -> Document | None:
        document = await read()
        return document if document is not None and version_of(document) >= version else None

    with suppress(Unavailable, TimeoutError):
        async with asyncio.timeout(max(within_seconds, SHORTEST_READ_SECONDS)):
            return await PAUSES.poll(ask, within_seconds)
    return None
