"""`tandem serve` with a flaw: `broken_serve.py FLAW`, in front of the usual command, which it ignores."""

import asyncio
import os
import sys
from dataclasses import replace
from datetime import UTC, datetime

from pymongo import ReplaceOne

from tandem.app import serve_instance
from tandem.config import load_settings


class Flawed:
    """A part of an instance that does some things wrong: here, users in MongoDB."""

    place = "documents"

    def __init__(self, sound):
        self._sound = sound

    def __getattr__(self, name):
        return getattr(self._sound, name)


class SkipsEvery300th(Flawed):
    """Every 300th user is said to be in MongoDB, and is not."""

    async def write(self, documents):
        return await self._sound.write([document for document in documents if document["_id"] % 300])


class WritesTwice(Flawed):
    """Every 100th user is there once more, under another id."""

    async def write(self, documents):
        twice = [document | {"_id": -document["_id"]} for document in documents if document["_id"] % 100 == 0]
        return await self._sound.write([*documents, *twice])


class LosesThePostcode(Flawed):
    """Every 100th user moves to nowhere."""

    async def write(self, documents):
        for document in documents:
            if document["_id"] % 100 == 0:
                document["location"].pop("postcode")
        return await self._sound.write(documents)


class Lies(Flawed):
    """The command side is told that MongoDB has everything, and records SYNCRONIZED; MongoDB has nothing."""

    async def write(self, documents):
        del documents
        return {}


class IgnoresVersions(Flawed):
    """Of every 10th user, each version is written once more after the next one, over whatever is there."""

    def __init__(self, documents):
        super().__init__(documents)
        self._last = {}

    async def write(self, documents):
        return await self._write(self._sound.write, documents)

    async def write_later_versions(self, documents):
        return await self._write(self._sound.write_later_versions, documents)

    async def _write(self, write, documents):
        refused = await write(documents)
        tenth = {document["_id"]: document for document in documents if document["_id"] % 10 == 0}
        if late := [self._last[user_id] for user_id in tenth.keys() & self._last.keys()]:
            replacements = [ReplaceOne(self.replaced_by(document), document) for document in late]
            await self._sound._users.bulk_write(replacements)
        self._last |= tenth
        return refused

    def replaced_by(self, document):
        return {"_id": document["_id"]}


class IgnoresTombstones(IgnoresVersions):
    """The same, but only of living users over what is left of deleted ones."""

    def replaced_by(self, document):
        return super().replaced_by(document) | {"deletedAt": {"$exists": "deletedAt" not in document}}


class LosesUpdates(Flawed):
    """Every 50th user to be changed is said to be committed, and is not."""

    place = "users"

    def __init__(self, users):
        super().__init__(users)
        self._changed = 0

    async def change(self, drafts, incarnation):
        kept = []
        for draft in drafts:
            self._changed += draft.is_changed
            if draft.is_changed and self._changed % 50 == 0:
                draft.committed_at = datetime.now(UTC)
            else:
                kept.append(draft)
        if kept:
            await self._sound.change(kept, incarnation)


FLAWS = {
    "skips": SkipsEvery300th,
    "doubles": WritesTwice,
    "loses": LosesThePostcode,
    "lies": Lies,
    "ignores-versions": IgnoresVersions,
    "ignores-tombstones": IgnoresTombstones,
    "loses-updates": LosesUpdates,
}

if __name__ == "__main__":
    flawed = FLAWS[sys.argv[1]]
    asyncio.run(
        serve_instance(
            load_settings(os.environ),
            adapt=lambda adapters: replace(
                adapters, **{flawed.place: flawed(getattr(adapters, flawed.place))}
            ),
        )
    )
