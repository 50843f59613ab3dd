"""The query side's service: writes documents for the flow, and reads them, gathered into few calls."""

import logging
from collections.abc import Sequence
from datetime import timedelta

from tandem.cqrs import UserEventCommandAggregate
from tandem.kernel import BatchPolicy, Coalescer, Unavailable
from tandem.user import StoredUser
from tandem.user_query.document import Document, document_of
from tandem.user_query.identity import fingerprint_in
from tandem.user_query.indexes import MissingIndex
from tandem.user_query.lists import UserLists
from tandem.user_query.repository import UserQueryRepository
from tandem.user_query.search import Conditions, Found, UserSearch
from tandem.user_query.share import Share

# One batch in flight: with two the rate is the same, and a read costs a tenth more here, a fifth in MongoDB.
READS = BatchPolicy(max_batch=200, max_waiting=5_000)

# Searches at a time: each keeps one of MongoDB's threads, and a part of this one, busy for some 50 ms.
SEARCHES = 2

logger = logging.getLogger(__name__)


class UserQueryService:
    """Users on the query side; see `cqrs.handlers.QuerySide` for what the flow asks of it."""

    def __init__(self, repository: UserQueryRepository, search: UserSearch, app_id: str) -> None:
        self._repository = repository
        self._search = search
        self._app_id = app_id
        #: Users whose documents MongoDB has acknowledged since this instance began.
        self.projected = 0
        #: What kept the last batch of documents from being written; empty after one that was.
        self.trouble = ""
        self.lists = UserLists(repository)
        self.searches = Share("searches", at_a_time=SEARCHES, most_waiting=200, patience=timedelta(seconds=5))
        self._by_id = Coalescer("read by id", self._read_by_ids, READS)
        self._by_email = Coalescer("read by e-mail", self._read_by_emails, READS)

    @property
    def coalescers(self) -> Sequence[Coalescer[int, Document | None] | Coalescer[str, Document | None]]:
        """The two that gather reads: for metrics and the orderly stop."""
        return [self._by_id, self._by_email]

    async def create(self, users: Sequence[StoredUser]) -> Sequence[UserEventCommandAggregate]:
        """Write the users' documents; each aggregate says whether MongoDB refused its user for good.

        Raises:
            Unavailable: MongoDB does not answer. Doing it again is harmless.
        """
        try:
            refused = await self._repository.write([document_of(user, self._app_id) for user in users])
        except Unavailable as error:
            self.trouble = str(error)
            raise
        self.trouble = ""
        self.projected += len(users) - len(refused)
        if refused:
            user_id, reason = next(iter(refused.items()))
            logger.error("%d users are set aside, user %d among them. %s", len(refused), user_id, reason)
        return [UserEventCommandAggregate(user, refused.get(user.id)) for user in users]

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
        await self._repository.replace(document_of(user, self._app_id), fingerprint)
        logger.warning("User %d took the place of document %s, as asked for.", user.id, fingerprint)
        return True

    async def find(self, user_id: int) -> Document | None:
        """The user of this id, or None.

        Raises:
            Unavailable: MongoDB does not answer.
            Overloaded: too many reads are waiting.
        """
        return await self._by_id.submit(user_id)

    async def find_newest(self, email: str) -> Document | None:
        """The newest user of this address, or None.

        Raises:
            Unavailable: MongoDB does not answer.
            MissingIndex: the index of addresses is not there.
            Overloaded: too many reads are waiting.
        """
        return await self._by_email.submit(email)

    async def search(self, conditions: Conditions, limit: int, after: int) -> Found:
        """At most `limit` users that meet the conditions, with ids above `after`, ascending.

        Raises:
            Unavailable: MongoDB does not answer in time.
            MissingIndex: the index to walk is not there.
            Overloaded: too many searches are waiting.
        """
        async with self.searches.one():
            return await self._search.find(conditions, limit, after)

    async def _read_by_ids(self, ids: Sequence[int]) -> Sequence[Document | None]:
        found = await self._repository.find_by_ids(list(set(ids)))
        return [found.get(user_id) for user_id in ids]

    async def _read_by_emails(self, emails: Sequence[str]) -> Sequence[Document | BaseException | None]:
        try:
            found = await self._repository.find_newest_by_emails(list(set(emails)))
        except MissingIndex:
            return [MissingIndex() for _ in emails]
        return [found.get(email) for email in emails]
