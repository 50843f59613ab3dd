"""How an aggregate of your own is described: what it is made of, and the little that its code has to do.

Commands, events and the state are plain frozen `msgspec.Struct`s. `decide` and `evolve` are pure functions on
them. All else (pending work, leases, recovery, keys, versions, dead letters, history, metrics) is the same
code for every aggregate. `docs/your-own-aggregate.md` builds one.
"""

import random
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Generic, Protocol, TypeVar

import msgspec

from tandem.http.field_types import require_bounded_integers
from tandem.mongodb.generations import UnknownShape

S = TypeVar("S")

#: Events that no aggregate's code makes: MongoDB has acknowledged a version; what the document shows of
#: another thing has changed.
SYNCHRONIZED, REFRESHED = "SYNCRONIZED", "REFRESHED"
#: The kind that users have. They are no `Aggregate`, but reactions may follow their events.
USER = "user"
#: What the name of an aggregate is made of, and those that would have tables or documents of Tandem's own.
KIND, TAKEN = re.compile("[a-z]{1,20}"), frozenset((USER, "users", "country", "run", "tandem", "timezone"))

_SEGMENT = re.compile("[a-z][a-z-]{0,30}")
# With the kind it names a trigger, of whose name PostgreSQL keeps 63 bytes.
_PART = re.compile("[a-z][a-z_-]{0,29}")


class Happened(msgspec.Struct, frozen=True):
    """An event that was committed, as a reaction gets it."""

    kind: str
    id: int
    version: int
    #: The event's name: that of its class, and for users CREATED, UPDATED, DELETED or ERASED.
    type: str
    #: The event itself. For users its data as JSON: of CREATED the profile, of UPDATED what changed, or {}
    #: where the user is erased by now; else None.
    event: Any
    #: The run that it belongs to.
    seed: str


class Reach(Protocol):
    """What a reaction may do."""

    async def send(self, kind: str, id_: int | None, command: Any) -> int:
        """Carry out a command on this aggregate, or one that creates an aggregate (None); its id.

        It is carried out once, even if the reaction is repeated because an instance has died. The answer
        is then that of the first time, a rejection too.

        Raises:
            Rejection: it cannot be carried out.
        """

    async def exists(self, kind: str, id_: int) -> bool:
        """Whether there is one now, not deleted. It costs a twentieth of `find`."""

    async def find(self, kind: str, id_: int) -> Any | None:
        """The state as it is now; of a user the `Profile`. None where there is none (any more)."""

    def ids(self, kind: str, lookup: str, *arguments: Any) -> AsyncIterator[int]:
        """The ids that a lookup finds, ascending, however many they are."""


@dataclass(frozen=True, kw_only=True)
class Reaction:
    """What has to follow from an event, in whichever instance, whatever dies meanwhile.

    It is a stored fact from the commit of the event on. `do` is called again from its beginning until it has
    returned once: what it does, it does by `Reach.send`, which carries out nothing twice.
    """

    #: Names it in logs, histories and tables; never given to another one.
    name: str
    #: Whose events: the `name` of an aggregate, or "user".
    kind: str
    #: The names of events.
    on: Sequence[str]
    do: Callable[[Happened, Reach], Awaitable[None]]


@dataclass(frozen=True, kw_only=True)
class Related(Generic[S]):
    """Another thing that the document shows. When that thing changes, the document is written anew."""

    #: What `document` finds it by.
    name: str
    #: The `name` of an aggregate, or "user".
    kind: str
    #: Whose: the other thing's id.
    id_of: Callable[[S], int]
    #: The lookup that finds the aggregates which show the other thing, by its id.
    lookup: str
    #: Whether this event of the other thing concerns the document.
    when: Callable[[Happened], bool] = lambda _: True


@dataclass(frozen=True, kw_only=True)
class Trial:
    """What `tandem prove` and `tandem bench` send to try an aggregate. Chance comes from the dice alone."""

    #: A command that creates one; it is given the ids of some users.
    create: Callable[[random.Random, Sequence[int]], Any]
    #: A command on one that is there; it is given the ids of some aggregates of this kind.
    change: Callable[[random.Random, Sequence[int]], Any]


@dataclass(frozen=True, kw_only=True)
class Aggregate(Generic[S]):
    """An aggregate: what may happen to it, where it is kept, and what readers see of it.

    Raises:
        ValueError: the parts do not fit together; says which.
    """

    #: In lower-case letters, such as "order": it has the tables `prm_order...`, and answers at
    #: `/api/v1/order-command` and `/api/v1/order-query`.
    name: str
    #: MongoDB's collection, and what the command line says: "orders".
    plural: str
    #: The package that has `NAME.sql` (the query `write`, and the lookups) and the folder `migrations`.
    package: str
    state: type[S]
    #: The command that creates one.
    creates: type
    #: The commands on one that is there, by the end of their path: `{"pay": PayOrder}`.
    commands: Mapping[str, type]
    #: Commands that only reactions send.
    internal: Sequence[type] = ()
    events: Sequence[type]
    #: The events that follow from a command; none where it changes nothing. Raises `Rejection`. It is given
    #: None for the command that creates, and a state for all others.
    decide: Callable[[Any, S | None], Sequence[Any]]
    #: The state after an event; None for good: the aggregate is deleted.
    evolve: Callable[[S | None, Any], S | None]
    #: What readers see: the fields of MongoDB's document, beside `_id`, `seed`, `version` and `createdAt`.
    #: It is given each of `related` by its name, as it is now, or None.
    document: Callable[[S, Mapping[str, Any]], Mapping[str, Any]]
    #: The number of the shape that `document` makes, and what makes earlier ones. A collection keeps its
    #: shape until `tandem rebuild` makes the next one (docs/rebuild.md).
    shape: int = 1
    earlier_shapes: Mapping[int, Callable[[S, Mapping[str, Any]], Mapping[str, Any]]] = field(
        default_factory=dict
    )
    related: Sequence[Related[S]] = ()
    #: Queries of `NAME.sql` that find ids, each with the same condition in Python, for stores in memory.
    lookups: Mapping[str, Callable[..., bool]] = field(default_factory=dict)
    reactions: Sequence[Reaction] = ()
    #: Fields of the document that lists can be filtered by, each with its type. Each costs an index.
    listed_by: Mapping[str, Any] = field(default_factory=dict)
    #: The number of the format that events are written in.
    format: int = 1
    #: From an event's name and format to what makes the next format of its JSON.
    upcasters: Mapping[tuple[str, int], Callable[[Any], Any]] = field(default_factory=dict)
    trial: Trial | None = None

    def __post_init__(self) -> None:
        for flaw in self._flaws():
            msg = f"The aggregate {self.name!r}: {flaw}."
            raise ValueError(msg)

    def _flaws(self) -> Iterator[str]:
        """What does not fit together, each as the end of a sentence."""
        if not KIND.fullmatch(self.name) or {self.name, self.plural} & TAKEN:
            taken = ", ".join(sorted(TAKEN))
            yield f"{self.name!r} is no name: take up to 20 lower-case letters, and none of {taken}"
        for segment in self.commands:
            if not _SEGMENT.fullmatch(segment) or segment == "events":
                yield f"{segment!r} cannot end a path: take lower-case letters and hyphens"
        if len({*self.event_types, SYNCHRONIZED, REFRESHED}) < len(self.events) + 2:
            yield f"two events have one name, or that of {SYNCHRONIZED} or {REFRESHED}"
        for command in (self.creates, *self.commands.values()):
            try:
                require_bounded_integers(command)
            except TypeError as error:
                yield str(error)
        yield from self._flaws_of_parts()

    def _flaws_of_parts(self) -> Iterator[str]:
        names = [reaction.name for reaction in self.reactions] + [related.name for related in self.related]
        for name in names:
            if not _PART.fullmatch(name):
                yield f"{name!r} cannot name what follows: take up to 30 lower-case letters, _ and -"
        if self.shape < 1 or any(not 0 < earlier < self.shape for earlier in self.earlier_shapes):
            yield f"its shape is {self.shape}: shapes are numbered from 1, and earlier ones lie below"
        for related in self.related:
            if related.lookup not in self.lookups:
                yield f"{related.lookup!r} is none of its lookups"

    @cached_property
    def event_types(self) -> Mapping[str, type]:
        """The types of its events, by their names."""
        return {event.__name__: event for event in self.events}

    def shown(self, state: S, related: Mapping[str, Any], shape: int) -> Mapping[str, Any]:
        """What readers see, in this shape.

        Raises:
            UnknownShape: this program does not know it.
        """
        make = self.document if shape == self.shape else self.earlier_shapes.get(shape)
        if make is None:
            raise UnknownShape(self.plural, shape)
        return make(state, related)

    @property
    def all_commands(self) -> frozenset[type]:
        """Every type of command, internal ones too."""
        return frozenset({self.creates, *self.commands.values(), *self.internal})
