"""`tandem serve` with a flaw: `broken_serve.py FLAW`, in front of the usual command, which it ignores."""

import asyncio
import os
import sys
from dataclasses import replace

from tandem.app import serve_instance
from tandem.config import load_settings


class Flawed:
    """Users in MongoDB, of which some are written wrong."""

    def __init__(self, documents):
        self._documents = documents

    def __getattr__(self, name):
        return getattr(self._documents, name)


class SkipsEvery300th(Flawed):
    """Every 300th user is said to be in MongoDB, and is not."""

    async def write(self, documents):
        return await self._documents.write([document for document in documents if document["_id"] % 300])


class WritesTwice(Flawed):
    """Every 100th user is there once more, under another id."""

    async def write(self, documents):
        twice = [document | {"_id": -document["_id"]} for document in documents if document["_id"] % 100 == 0]
        return await self._documents.write([*documents, *twice])


class LosesThePostcode(Flawed):
    """Every 100th user moves to nowhere."""

    async def write(self, documents):
        for document in documents:
            if document["_id"] % 100 == 0:
                document["location"].pop("postcode")
        return await self._documents.write(documents)


class Lies(Flawed):
    """The command side is told that MongoDB has everything, and records SYNCRONIZED; MongoDB has nothing."""

    async def write(self, documents):
        del documents
        return {}


FLAWS = {"skips": SkipsEvery300th, "doubles": WritesTwice, "loses": LosesThePostcode, "lies": Lies}

if __name__ == "__main__":
    flawed = FLAWS[sys.argv[1]]
    asyncio.run(
        serve_instance(
            load_settings(os.environ),
            adapt=lambda adapters: replace(adapters, documents=flawed(adapters.documents)),
        )
    )
