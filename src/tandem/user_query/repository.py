"""The query side's way to MongoDB."""

from collections.abc import Mapping, Sequence
from typing import Any

from pymongo import ASCENDING, ReadPreference, ReplaceOne
from pymongo.errors import BulkWriteError
from pymongo.read_concern import ReadConcern

from tandem.kernel import Unavailable
from tandem.user_query.database import UNSENDABLE, Users, translated
from tandem.user_query.document import Document

DUPLICATE_KEY = 11000
# What MongoDB refuses however often it is asked. All else passes: a full disk is emptied, a node returns.
REFUSED_FOR_GOOD = {
    2: "BadValue",
    121: "DocumentValidationFailure",
    10334: "BSONObjectTooLarge",
    17280: "KeyTooLong",
}


class UserQueryRepository:
    """Users in MongoDB."""

    def __init__(self, users: Users) -> None:
        self._users = users
        self._as_of_now = users.with_options(
            read_concern=ReadConcern("linearizable"), read_preference=ReadPreference.PRIMARY
        )
        self._majority = users.with_options(read_concern=ReadConcern("majority"))

    async def write(self, documents: Sequence[Document]) -> dict[int, str]:
        """Write the documents, unless the same or a later version is there. By id, why one is refused.

        A plain insert comes first, because it costs a quarter of a guarded upsert and nearly all are new.
        Where the id is there already, the versions decide: repeating and reordering change nothing.

        Raises:
            Unavailable: not all is acknowledged by majority and journal. Doing it again is harmless.
            Exception: some document among several cannot even be sent. Alone, it is refused.
        """
        try:
            with translated():
                await self._users.insert_many(documents, ordered=False)
        except Unavailable as error:
            if not isinstance(error.__cause__, BulkWriteError):
                raise
            existing, refused = _sort_errors(error.__cause__.details)
            if existing:
                await self._replace_older([document for document in documents if document["_id"] in existing])
            return refused
        except UNSENDABLE as error:
            if len(documents) > 1:
                raise
            return {documents[0]["_id"]: f"{type(error).__name__}: {error}"}
        return {}

    async def find_by_ids(self, ids: Sequence[int]) -> dict[int, Document]:
        """The users of these ids, by id; who is not there is missing.

        Raises:
            Unavailable: MongoDB does not answer.
        """
        with translated():
            found = await self._users.find({"_id": {"$in": ids}}, batch_size=len(ids) + 1).to_list(None)
        return {document["_id"]: document for document in found}

    async def find_newest_by_emails(self, emails: Sequence[str]) -> dict[str, Document]:
        """The newest user (highest id) of each address, by address; who is not there is missing.

        The stages follow the index {email, -_id}, so MongoDB seeks one entry a group (DISTINCT_SCAN) and
        fetches one document: an address that 100,000 users share costs no more than any other.

        Raises:
            Unavailable: MongoDB does not answer.
        """
        pipeline: list[Mapping[str, Any]] = [
            {"$match": {"email": {"$in": emails}}},
            {"$sort": {"email": 1, "_id": -1}},
            {"$group": {"_id": "$email", "newest": {"$first": "$$ROOT"}}},
        ]
        with translated():
            cursor = await self._users.aggregate(pipeline, batchSize=len(emails) + 1)
            found = await cursor.to_list(None)
        return {group["_id"]: group["newest"] for group in found}

    async def page(
        self, limit: int, after: int = 0, seed: str | None = None, through: int | None = None
    ) -> list[Document]:
        """At most `limit` users with ids above `after`, ascending; of one run, or of all.

        With `through`, none above that id, and everybody up to it who was acknowledged before this call: a
        plain read may come from a member that lags, or from a primary that is none any more.

        Raises:
            Unavailable: MongoDB does not answer.
        """
        ids = {"$gt": after} if through is None else {"$gt": after, "$lte": through}
        wanted: dict[str, Any] = {"_id": ids} if seed is None else {"seed": seed, "_id": ids}
        users = self._users if through is None else self._as_of_now
        with translated():
            cursor = users.find(wanted, sort=[("_id", ASCENDING)], limit=limit, batch_size=limit + 1)
            return await cursor.to_list(None)

    async def _replace_older(self, documents: Sequence[Document]) -> None:
        """Replace those documents whose stored version is older."""
        versions = {document["_id"]: document["version"] for document in documents}
        with translated():
            stored = await self._majority.find({"_id": {"$in": list(versions)}}, {"version": 1}).to_list(None)
        if len(stored) < len(versions):
            msg = "MongoDB has documents that a majority has not acknowledged yet"
            raise Unavailable(msg)
        older = {document["_id"] for document in stored if document["version"] < versions[document["_id"]]}
        if older:
            # The guard stands in the filter as well: another instance may be replacing the same document.
            replacements = [
                ReplaceOne({"_id": document["_id"], "version": {"$lt": document["version"]}}, document)
                for document in documents
                if document["_id"] in older
            ]
            with translated():
                await self._users.bulk_write(replacements, ordered=False)


def _sort_errors(details: Mapping[str, Any]) -> tuple[set[int], dict[int, str]]:
    """Which ids of a failed bulk were there already, and which are refused for good.

    Raises:
        Unavailable: there are other errors, or the write concern was not met, which is no acknowledgement.
    """
    existing: set[int] = set()
    refused: dict[int, str] = {}
    for error in details["writeErrors"]:
        user_id = error["op"]["_id"]
        if error["code"] == DUPLICATE_KEY:
            existing.add(user_id)
        elif error["code"] in REFUSED_FOR_GOOD:
            refused[user_id] = f"{error['code']} {REFUSED_FOR_GOOD[error['code']]}: {error['errmsg']}"
        else:
            msg = f"MongoDB did not write (code {error['code']})"
            raise Unavailable(msg)
    if details["writeConcernErrors"]:
        msg = f"MongoDB did not acknowledge (code {details['writeConcernErrors'][0]['code']})"
        raise Unavailable(msg)
    return existing, refused
