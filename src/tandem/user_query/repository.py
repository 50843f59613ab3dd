"""The query side's way to MongoDB."""

from collections.abc import Mapping, Sequence
from typing import Any

from tandem.mongodb.client import Collection, between, translated
from tandem.mongodb.document import Document
from tandem.mongodb.documents import Documents
from tandem.mongodb.generations import Collections
from tandem.user_query.identity import is_somebody_elses
from tandem.user_query.indexes import BY_EMAIL


class UserQueryRepository(Documents):
    """Users in MongoDB."""

    def __init__(self, users: Collections) -> None:
        super().__init__(users, is_somebody_elses, what="user")

    async def find_newest_by_emails(self, emails: Sequence[str]) -> dict[str, Document]:
        """The newest user (highest id) of each address, by address; who is not there is missing.

        The stages follow the index {email, -_id}, so MongoDB seeks one entry a group (DISTINCT_SCAN) and
        fetches one document: an address that 100,000 users share costs no more than any other.

        Raises:
            Unavailable: MongoDB does not answer.
            MissingIndex: the index is not there.
        """
        pipeline: list[Mapping[str, Any]] = [
            {"$match": between({"email": {"$in": emails}}, 0)},
            {"$sort": {"email": 1, "_id": -1}},
            {"$group": {"_id": "$email", "newest": {"$first": "$$ROOT"}}},
        ]

        async def ask(users: Collection) -> list[Document]:
            cursor = await users.aggregate(pipeline, batchSize=len(emails) + 1, hint=dict(BY_EMAIL))
            return await cursor.to_list(None)

        with translated():
            found = await self.collections.read(ask)
        return {group["_id"]: group["newest"] for group in found if isinstance(group["_id"], str)}
