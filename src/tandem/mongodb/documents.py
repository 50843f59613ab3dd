"""Documents of one kind in MongoDB: written in whatever order they come, replaced by later versions, read."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import bson
from bson.raw_bson import RawBSONDocument
from pymongo import ReadPreference, ReplaceOne
from pymongo.errors import BulkWriteError
from pymongo.read_concern import ReadConcern
from pymongo.results import BulkWriteResult, InsertManyResult

from tandem.errors import TandemError
from tandem.kernel import Unavailable
from tandem.mongodb.client import LENIENT, UNSENDABLE, Collection, Filter, between, translated
from tandem.mongodb.document import DELETED_AT, Document, id_of
from tandem.mongodb.generations import Collections, Generation, Projection
from tandem.mongodb.identity import conflict, fingerprint_of
from tandem.mongodb.indexes import BY_ID, BY_SEED, by_field
from tandem.mongodb.refusals import Sorted, sort_errors

_RAW = LENIENT.with_options(document_class=RawBSONDocument)
_AS_OF_NOW: dict[str, Any] = {
    "read_concern": ReadConcern("linearizable"),
    "read_preference": ReadPreference.PRIMARY,
}


class DocumentChanged(TandemError):
    """MongoDB's document is not the one any more that was to be replaced. Nothing was written."""


class _ChangedMeanwhile(Unavailable):
    """What was to be replaced is not there any more."""


class Documents:
    """Documents of one kind. Each has an `_id`, a `seed` and a `version`, which is 1 or higher."""

    def __init__(
        self,
        collections: Collections,
        is_somebody_elses: Callable[[Document, Document], bool],
        what: str = "user",
    ) -> None:
        """`what` they are of: the word for one, with the letter s for many.

        `is_somebody_elses` says of a stored document whether it is no version of what the second one, with
        the same `_id`, is of. One whose version is no number is somebody else's.
        """
        self.collections = collections
        self._is_somebody_elses = is_somebody_elses
        self._what = what

    @property
    def projection(self) -> Projection:
        """The generations that all documents have to be written to."""
        return self.collections.projection

    def _collection(self, generation: Generation | None) -> Collection:
        found: Collection = self.collections.of(generation or self.projection.live)
        return found

    async def write(
        self, documents: Sequence[Document], generation: Generation | None = None
    ) -> dict[int, str]:
        """Write the documents, unless the same or a later version is there. By id, why one is refused.

        `generation`: where to; None: to the live one.

        A plain insert comes first, because it costs a quarter of a guarded upsert and nearly all are new.
        Where the id is there already, the versions decide: repeating and reordering change nothing.

        Raises:
            Unavailable: not all is acknowledged by majority and journal. Doing it again is harmless.
            Exception: some document among several cannot even be sent. Alone, it is refused.
        """
        collection = self._collection(generation)
        return await self._write(documents, collection, collection.insert_many(documents, ordered=False))

    async def _write(
        self,
        documents: Sequence[Document],
        collection: Collection,
        bulk: Awaitable[InsertManyResult | BulkWriteResult],
    ) -> dict[int, str]:
        try:
            outcome = await _carried_out(bulk)
        except UNSENDABLE as error:
            if len(documents) > 1:
                raise
            return {documents[0]["_id"]: f"{type(error).__name__}: it cannot be sent to MongoDB as it is."}
        if outcome.existing:
            there = [document for document in documents if document["_id"] in outcome.existing]
            return outcome.refused | await self._settle(there, collection)
        return outcome.refused

    async def write_later_versions(
        self, documents: Sequence[Document], generation: Generation | None = None
    ) -> dict[int, str]:
        """Write these in place of earlier versions; see `write`, but here most are not new.

        Raises:
            Unavailable, Exception: as `write`.
        """
        replacements = [
            ReplaceOne(
                {"_id": one["_id"], "seed": one["seed"], "version": {"$lt": one["version"]}}, one, upsert=True
            )
            for one in documents
        ]
        collection = self._collection(generation)
        return await self._write(documents, collection, collection.bulk_write(replacements, ordered=False))

    async def replace(
        self, document: Document, fingerprint: str, generation: Generation | None = None
    ) -> None:
        """Write the document over somebody else's, of this fingerprint; nothing where it is not in the way.

        `generation`: where; None: in the live one.

        Raises:
            DocumentChanged: another document is there by now, or MongoDB refuses this one; says which.
            Unavailable: MongoDB does not answer. Doing it again is harmless.
        """
        id_: int = document["_id"]
        collection = self._collection(generation)
        stored = (await _find_stored(collection, [id_])).get(id_)
        if stored is None or not self._is_somebody_elses(_opened(stored), document):
            return
        if fingerprint_of(stored) != fingerprint:
            raise DocumentChanged("MongoDB has yet another document there by now.")
        exactly = {"_id": id_, "$expr": {"$eq": ["$$ROOT", {"$literal": stored}]}}
        try:
            refused = await _replace(collection, [ReplaceOne(exactly, document)])
        except _ChangedMeanwhile as error:
            raise DocumentChanged("MongoDB's document was changed just now.") from error
        if refused:
            raise DocumentChanged(refused[id_])

    async def find_by_ids(
        self, ids: Sequence[int], projection: Mapping[str, Any] | None = None
    ) -> dict[int, Document]:
        """The documents of these ids, by id, tombstones among them; what is not there is missing.

        `projection`: which fields of them, as MongoDB puts it; None: all.

        Raises:
            Unavailable: MongoDB does not answer.
        """

        async def ask(collection: Collection) -> list[Document]:
            found = collection.find({"_id": {"$in": ids}}, projection, batch_size=len(ids) + 1)
            return await found.to_list(None)

        with translated():
            found = await self.collections.read(ask)
        return {id_of(document): document for document in found}

    async def page(  # noqa: PLR0913
        self,
        limit: int,
        after: int = 0,
        seed: str | None = None,
        through: int | None = None,
        *,
        by: tuple[str, object] | None = None,
        projection: Mapping[str, Any] | None = None,
    ) -> list[Document]:
        """At most `limit` documents with ids above `after`, ascending; of one run, or of all.

        `projection`: which fields of them, as MongoDB puts it; None: all.

        With `by`, only those that have this value in this field, for which there has to be an index.

        With `through`, none above that id, and all up to it that were acknowledged before this call: a
        plain read may come from a member that lags, or from a primary that is none any more.

        Raises:
            Unavailable: MongoDB does not answer.
            MissingIndex: the index is not there.
        """
        walked: Filter = {DELETED_AT: None} if seed is None else {"seed": seed, DELETED_AT: None}
        index = BY_ID if seed is None else BY_SEED
        if by is not None:
            walked[by[0]] = by[1]
            index = by_field(by[0])

        async def ask(collection: Collection) -> list[Document]:
            documents = collection if through is None else collection.with_options(**_AS_OF_NOW)
            found = documents.find(
                between(walked, after, through),
                projection,
                sort=BY_ID,
                limit=limit,
                batch_size=limit + 1,
                hint=index,
            )
            return await found.to_list(None)

        with translated(f"{self._what}s"):
            return await self.collections.read(ask)

    async def _settle(self, documents: Sequence[Document], collection: Collection) -> dict[int, str]:
        """Replace what is older than these documents. By id, under whose id there is somebody else."""
        ids = {document["_id"] for document in documents}
        stored = await _find_stored(collection, list(ids))
        if len(stored) < len(ids):
            msg = "MongoDB has documents that a majority has not acknowledged yet"
            raise Unavailable(msg)
        refused: dict[int, str] = {}
        replacements = []
        for document in documents:
            id_, found = document["_id"], _opened(stored[document["_id"]])
            if self._is_somebody_elses(found, document):
                refused[id_] = conflict(self._what, id_, fingerprint_of(stored[id_]), self.collections.plural)
            elif found["version"] < document["version"]:
                # The guard stands in the filter as well: another instance may be replacing the same document.
                older = {"_id": id_, "version": {"$lt": document["version"]}}
                replacements.append(ReplaceOne(older, document))
        return refused | (await _replace(collection, replacements) if replacements else {})


async def _replace(collection: Collection, replacements: Sequence[ReplaceOne[Document]]) -> dict[int, str]:
    """Carry them out. By id, why one is refused.

    Raises:
        Unavailable: also where one found nothing to replace: somebody else has changed it meanwhile.
    """
    outcome = await _carried_out(collection.bulk_write(replacements, ordered=False))
    if outcome.matched + len(outcome.refused) < len(replacements):
        msg = "MongoDB's documents were changed while they were being replaced"
        raise _ChangedMeanwhile(msg)
    return outcome.refused


async def _find_stored(collection: Collection, ids: Sequence[int]) -> dict[int, RawBSONDocument]:
    """The documents under these ids as a majority has them, byte for byte."""
    as_stored = collection.with_options(codec_options=_RAW, read_concern=ReadConcern("majority"))
    with translated():
        found = await as_stored.find({"_id": {"$in": ids}}, batch_size=len(ids) + 1).to_list(None)
    return {id_of(document): document for document in found}


async def _carried_out(bulk: Awaitable[InsertManyResult | BulkWriteResult]) -> Sorted:
    """Carry out a bulk of writes and sort its errors.

    Raises:
        Unavailable: some of it is not acknowledged.
        bson.errors.BSONError, DocumentTooLarge, OverflowError: one document cannot be sent.
    """
    with translated():
        try:
            result = await bulk
        except BulkWriteError as error:
            return sort_errors(error.details)
    return Sorted(set(), {}, result.matched_count if isinstance(result, BulkWriteResult) else 0)


def _opened(stored: RawBSONDocument) -> Document:
    return bson.decode(stored.raw, LENIENT)
