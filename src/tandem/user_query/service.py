"""The query side's service: writes documents for the flow, and reads them, gathered into few calls."""

from collections.abc import Sequence

from tandem.cqrs import UserEventCommandAggregate
from tandem.kernel import Coalescer, Coalescing
from tandem.user import StoredUser
from tandem.user_query.document import Document, document_of
from tandem.user_query.repository import UserQueryRepository
from tandem.user_query.search import Conditions, Found, UserSearch

# One batch in flight: with two the rate is the same, and a read costs a tenth more here, a fifth in MongoDB.
READS = Coalescing(max_batch=200, max_waiting=5_000)


class UserQueryService:
    """Users on the query side; see `cqrs.handlers.QuerySide` for what the flow asks of it."""

    def __init__(self, repository: UserQueryRepository, search: UserSearch, app_id: str) -> None:
        self._repository = repository
        self._search = search
        self._app_id = app_id
        #: Users whose documents MongoDB has acknowledged since this instance began.
        self.projected = 0
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
        refused = await self._repository.write([document_of(user, self._app_id) for user in users])
        self.projected += len(users) - len(refused)
        return [UserEventCommandAggregate(user, refused.get(user.id)) for user in users]

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
            Overloaded: too many reads are waiting.
        """
        return await self._by_email.submit(email)

    async def page(
        self, limit: int, after: int, seed: str | None, through: int | None = None
    ) -> list[Document]:
        """At most `limit` users with ids above `after`, ascending; of one run, or of all.

        With `through`, none above that id, and nobody up to it that MongoDB has is missing.

        Raises:
            Unavailable: MongoDB does not answer.
        """
        return await self._repository.page(limit, after, seed, through)

    async def search(self, conditions: Conditions, limit: int, after: int) -> Found:
        """At most `limit` users that meet the conditions, with ids above `after`, ascending.

        Raises:
            Unavailable: MongoDB does not answer in time.
        """
        return await self._search.find(conditions, limit, after)

    async def _read_by_ids(self, ids: Sequence[int]) -> Sequence[Document | None]:
        found = await self._repository.find_by_ids(list(set(ids)))
        return [found.get(user_id) for user_id in ids]

    async def _read_by_emails(self, emails: Sequence[str]) -> Sequence[Document | None]:
        found = await self._repository.find_newest_by_emails(list(set(emails)))
        return [found.get(email) for email in emails]
