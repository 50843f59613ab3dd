"""`tandem serve` with a flaw: `broken_serve.py FLAW`, in front of the usual command, which it ignores.

`order/FLAW` breaks what is done with orders, which have to be installed.
"""

import asyncio
import copy
import os
import sys
from dataclasses import replace
from datetime import UTC, datetime

import msgspec
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

    async def write(self, documents, generation):
        kept = [document for document in documents if document["_id"] % 300]
        return await self._sound.write(kept, generation)


class WritesTwice(Flawed):
    """Every 100th user is there once more, under another id."""

    async def write(self, documents, generation):
        twice = [document | {"_id": -document["_id"]} for document in documents if document["_id"] % 100 == 0]
        return await self._sound.write([*documents, *twice], generation)


class LosesThePostcode(Flawed):
    """Every 100th user moves to nowhere."""

    async def write(self, documents, generation):
        for document in documents:
            if document["_id"] % 100 == 0:
                document["location"].pop("postcode")
        return await self._sound.write(documents, generation)


class Lies(Flawed):
    """The command side is told that MongoDB has everything, and records SYNCRONIZED; MongoDB has nothing."""

    async def write(self, documents, generation):
        del documents, generation
        return {}


class IgnoresVersions(Flawed):
    """Of every 10th user, each version is written once more after the next one, over whatever is there."""

    def __init__(self, documents):
        super().__init__(documents)
        self._last = {}

    async def write(self, documents, generation):
        return await self._write(self._sound.write, documents, generation)

    async def write_later_versions(self, documents, generation):
        return await self._write(self._sound.write_later_versions, documents, generation)

    async def _write(self, write, documents, generation):
        refused = await write(documents, generation)
        tenth = {document["_id"]: document for document in documents if document["_id"] % 10 == 0}
        if late := [self._last[user_id] for user_id in tenth.keys() & self._last.keys()]:
            replacements = [ReplaceOne(self.replaced_by(document), document) for document in late]
            await self._sound.collections.live.bulk_write(replacements)
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
        await self._all_but_some(self._sound.change, drafts, incarnation, 50)

    async def _all_but_some(self, write, drafts, incarnation, one_in):
        kept = []
        for draft in drafts:
            self._changed += draft.is_changed
            if draft.is_changed and self._changed % one_in == 0:
                draft.committed_at = datetime.now(UTC)
            else:
                kept.append(draft)
        if kept:
            await write(kept, incarnation)


class LosesChanges(LosesUpdates):
    """The same with every 10th aggregate."""

    place = "store"

    async def record(self, drafts, incarnation):
        if drafts[0].id is None:
            await self._sound.record(drafts, incarnation)
        else:
            await self._all_but_some(self._sound.record, drafts, incarnation, 10)


class CommitsTwice(Flawed):
    """Every 100th aggregate is created a second time, without a key."""

    place = "store"

    def __init__(self, store):
        super().__init__(store)
        self._created = 0

    async def record(self, drafts, incarnation):
        again = []
        for draft in drafts:
            self._created += draft.id is None
            if draft.id is None and self._created % 100 == 0:
                again.append(copy.copy(draft))
                again[-1].accepted = []
        await self._sound.record([*drafts, *again], incarnation)


class WritesOtherRows(Flawed):
    """The rows of every 10th order that changes say another reason than its events."""

    place = "store"

    async def record(self, drafts, incarnation):
        for draft in drafts:
            if draft.id is not None and draft.id % 10 == 0 and draft.state is not None:
                draft.state = msgspec.structs.replace(draft.state, reason="nobody knows")
        await self._sound.record(drafts, incarnation)


class ForgetsReactions(Flawed):
    """What has to follow from events of users is taken for done."""

    place = "reactions"

    async def claim(self, incarnation, most):
        for task in await self._sound.claim(incarnation, most):
            await self._sound.finish(task, incarnation)
        return []


FLAWS = {
    "skips": SkipsEvery300th,
    "doubles": WritesTwice,
    "loses": LosesThePostcode,
    "lies": Lies,
    "ignores-versions": IgnoresVersions,
    "ignores-tombstones": IgnoresTombstones,
    "loses-updates": LosesUpdates,
    "loses-changes": LosesChanges,
    "commits-twice": CommitsTwice,
    "writes-other-rows": WritesOtherRows,
    "forgets-reactions": ForgetsReactions,
}


def broken(parts, flawed):
    """These parts, with the flaw in its place."""
    return replace(parts, **{flawed.place: flawed(getattr(parts, flawed.place))})


def adapt(adapters, kind, flaw):
    """The adapters of an instance, with the flaw in what it does with users, or with this kind."""
    if not kind or FLAWS[flaw].place == "reactions":
        return broken(adapters, FLAWS[flaw])
    return replace(adapters, own={**adapters.own, kind: broken(adapters.own[kind], FLAWS[flaw])})


if __name__ == "__main__":
    kind, _, flaw = sys.argv[1].rpartition("/")
    asyncio.run(serve_instance(load_settings(os.environ), adapt=lambda adapters: adapt(adapters, kind, flaw)))
