"""The query side's way to MongoDB."""

from collections.abc import Mapping, Sequence
from typing import Any

from tandem.mongodb.client import Collection, Filter, between, translated
from tandem.mongodb.document import Document
from tandem.mongodb.documents import Documents
from tandem.mongodb.generations import Collections
from tandem.user_query.identity import is_somebody_elses
from tandem.user_query.indexes import BY_EMAIL


class UserQueryRepository(Documents):
    """Users in MongoDB."""

    def __init__(self, users: Collections) -> None:
        super().__init__(users, is_somebody_elses, what="user")

    async def find_newest_by_emails(
        self, emails: Sequence[str], projection: Mapping[str, Any] | None = None
    ) -> dict[str, Document]:
        """The newest user (highest id) of each address, by address; who is not there is missing.

        The index {email, -_id} leads to the newest user of an address first, and nearly every address has one
        user. So as many documents are read as there are addresses. Where some share an address, that may not
        reach the last addresses: only those are looked up in the dearer way.

        Args:
            emails: each of them once.
            projection: which fields of them, as MongoDB puts it, `email` among them; None: all. There
                may be more.

        Raises:
            Unavailable: MongoDB does not answer.
            MissingIndex: the index is not there.
        """

        async def ask(users: Collection) -> dict[str, Document]:
            most = len(emails)
            found = await users.find(
                _of(emails), projection, sort=BY_EMAIL, limit=most, batch_size=most + 1, hint=BY_EMAIL
            ).to_list(None)
            newest = _first_of_each(found)
            rest = [email for email in emails if email not in newest]
            if rest and len(found) == most:
                newest |= await _sought(users, rest)
            return newest

        with translated():
            return await self.collections.read(ask)


async def _sought(users: Collection, emails: Sequence[str]) -> dict[str, Document]:
    """The same at one document for each address, however many users share it.

    The stages follow the index, so MongoDB seeks one entry a group (DISTINCT_SCAN) and fetches one document.
    It costs a third more than `find`, because it takes documents apart and puts them together again.
    """
    pipeline: list[Mapping[str, Any]] = [
        {"$match": _of(emails)},
        {"$sort": dict(BY_EMAIL)},
        {"$group": {"_id": "$email", "newest": {"$first": "$$ROOT"}}},
    ]
    cursor = await users.aggregate(pipeline, batchSize=len(emails) + 1, hint=dict(BY_EMAIL))
    return _first_of_each([group["newest"] for group in await cursor.to_list(None)])


def _of(emails: Sequence[str]) -> Filter:
    return between({"email": {"$in": emails}}, 0)


def _first_of_each(documents: Sequence[Document]) -> dict[str, Document]:
    """The first of each address. Somebody else's document may have a list of addresses."""
    found: dict[str, Document] = {}
    for document in documents:
        if isinstance(document["email"], str):
            found.setdefault(document["email"], document)
    return found
