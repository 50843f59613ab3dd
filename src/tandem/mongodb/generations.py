"""The generations of a projection: the collections that its documents are in, and which of them is read.

The first generation of users is the collection `users`, the second one `users_v2`, and so on. Documents are
written to every generation that stands in PostgreSQL's table `tandem_projection`, and read from the live one.
Decision 29 says why a reader can never be shown a collection that was dropped.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

import msgspec
from pymongo import ReadPreference
from pymongo.read_concern import ReadConcern

from tandem.kernel import Unavailable

R = TypeVar("R")

#: The collection with a copy of each row of `tandem_projection`, by kind, for readers without PostgreSQL.
COPIES = "tandem_projection"


class UnknownShape(Unavailable):
    """Documents have a shape that this program does not know: it is older than the one that wrote them."""

    def __init__(self, things: str, shape: int) -> None:
        super().__init__(f"This program does not know shape {shape} of {things}. Use a newer one")


class Generation(msgspec.Struct, frozen=True):
    """One collection with all documents of a kind, in one shape."""

    number: int = 1
    shape: int = 1

    def collection(self, plural: str) -> str:
        """The collection's name; `plural` is that of the first generation."""
        return plural if self.number == 1 else f"{plural}_v{self.number}"


class Projection(msgspec.Struct, frozen=True):
    """Which generations there are, as of an epoch: a number that grows with each change."""

    epoch: int = 0
    live: Generation = Generation()
    #: The one that is being built, or the one that was live before.
    other: Generation | None = None

    @property
    def written(self) -> Sequence[Generation]:
        """Those that every document is written to."""
        return [self.live] if self.other is None else [self.live, self.other]


class Collections:
    """The collections of one kind, of which `projection` says what they are for.

    `first` is that of the first generation.
    """

    def __init__(self, first: Any, projection: Projection | None = None) -> None:
        self._first = first
        self._known = {1: first}
        self.projection = projection or Projection()
        #: Whether `projection` is certainly not older than what any collection was dropped by.
        self.is_current: Callable[[], bool] = lambda: True

    @property
    def plural(self) -> str:
        """The name of the first one."""
        return str(self._first.name)

    @property
    def names(self) -> Sequence[str]:
        """Those that are written."""
        return [each.collection(self.plural) for each in self.projection.written]

    @property
    def live(self) -> Any:
        """The one that is read."""
        return self.of(self.projection.live)

    def of(self, generation: Generation) -> Any:
        """The collection of this generation, with the options of the first one."""
        if generation.number not in self._known:
            self._known[generation.number] = self.of_database(generation.collection(self.plural))
        return self._known[generation.number]

    def of_database(self, name: str) -> Any:
        """Another collection of the same database, with the options of the first one."""
        first = self._first
        options = {name: getattr(first, name) for name in ("codec_options", "write_concern", "read_concern")}
        return first.database.get_collection(name, **options)

    async def read(self, ask: Callable[[Any], Awaitable[R]]) -> R:
        """What `ask` finds in the live collection; asked again where another one is live by now.

        Who was frozen, or has not heard of PostgreSQL for as long as a lease, looks at MongoDB's copy of the
        row: a collection may have been dropped meanwhile.
        """
        while True:
            asked = self.projection.live
            found = await ask(self.of(asked))
            if not self.is_current():
                await self.look_at_copy()
            if self.projection.live == asked:
                return found

    async def look_at_copy(self) -> None:
        """Follow MongoDB's copy of the row, where it is newer."""
        copies = self.of_database(COPIES).with_options(
            read_concern=ReadConcern("linearizable"), read_preference=ReadPreference.PRIMARY
        )
        copy = await copies.find_one({"_id": self.plural})
        found = self.projection if copy is None else msgspec.convert(copy, Projection)
        if found.epoch > self.projection.epoch:
            self.projection = found
