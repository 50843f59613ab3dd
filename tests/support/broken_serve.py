"""`tandem serve` with a flaw: `broken_serve.py FLAW`, in front of the usual command, which it ignores."""

import sys

from tandem.app import bootstrap
from tandem.cli import main
from tandem.user_query.repository import UserQueryRepository


class SkipsEvery1000th(UserQueryRepository):
    """Every 1,000th user is said to be in MongoDB, and is not."""

    async def write(self, documents):
        return await super().write([document for document in documents if document["_id"] % 1000])


class WritesTwice(UserQueryRepository):
    """Every 100th user is there once more, under another id."""

    async def write(self, documents):
        twice = [document | {"_id": -document["_id"]} for document in documents if document["_id"] % 100 == 0]
        return await super().write([*documents, *twice])


class LosesThePostcode(UserQueryRepository):
    """Every 100th user moves to nowhere."""

    async def write(self, documents):
        for document in documents:
            if document["_id"] % 100 == 0:
                document["location"].pop("postcode")
        return await super().write(documents)


class Lies(UserQueryRepository):
    """The command side is told that MongoDB has everything, and records SYNCRONIZED; MongoDB has nothing."""

    async def write(self, documents):
        del documents
        return {}


FLAWS = {"skips": SkipsEvery1000th, "doubles": WritesTwice, "loses": LosesThePostcode, "lies": Lies}

if __name__ == "__main__":
    bootstrap.UserQueryRepository = FLAWS[sys.argv[1]]
    main(["serve"])
