"""What the lab must know of a system to measure it, and to judge what it promises: six calls.

`docs/judge-your-own.md` has a whole example. `tandem_lab.peers.local` offers most of an adapter for programs
that run on this machine.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any, Protocol

import msgspec

Json = dict[str, Any]


class Databases(msgspec.Struct, frozen=True):
    """Where a peer keeps its data: a schema and a database that are empty, and its own.

    `postgres_url` names the schema by `options=-csearch_path=...`. Either may lead over a relay that delays.
    """

    postgres_url: str
    mongodb_url: str


class Request(msgspec.Struct, frozen=True):
    """An HTTP request to a peer. `path` has the query string."""

    method: str
    path: str
    body: bytes
    headers: Mapping[str, str] = {}


class Running(msgspec.Struct, frozen=True):
    """A peer that runs and answers at `url`, such as http://127.0.0.1:8000.

    `processes`: for each of its processes by name how to ask for its process id now, which is None while it
    is down. Faults strike these, and their CPU and memory count. The peer itself starts them again. An empty
    one says that nobody may touch them.
    """

    url: str
    processes: Mapping[str, Callable[[], int | None]] = {}


class About(msgspec.Struct, frozen=True):
    """What people want to know of a peer before its figures."""

    name: str
    #: What it is, in a sentence.
    what: str
    #: Whether a command that is sent again with its key creates no second user.
    accepts_keys: bool = False
    #: Files and folders whose lines count as what one has to write and keep.
    sources: Sequence[Path] = ()
    #: Libraries and their versions.
    made_with: Sequence[str] = ()


class Peer(Protocol):
    """A system that writes users to a first store, and then to a second one.

    Users are in the format of randomuser.me.
    The load generator calls `command` and `acknowledged` in another process, without `running`.
    """

    about: About

    def running(self, databases: Databases) -> AbstractAsyncContextManager[Running]:
        """Start it, ready for commands, on empty stores; end it after the block, and leave nothing running.

        Raises:
            PeerFailed: it does not start; says why.
        """

    def command(self, user: Json, key: str) -> Request:
        """The request that creates this user. `key` is the same when it is sent again; use it or not."""

    def acknowledged(self, status: int, body: bytes) -> bool:
        """Whether this answer promises that the user will be in both stores."""

    async def first(self, emails: Sequence[str]) -> Sequence[Json]:
        """All users in the first store with one of these addresses, in the form of `command`'s."""

    async def second(self, emails: Sequence[str]) -> Sequence[Json]:
        """The same of the second store."""

    async def done(self) -> int:
        """How many users the second store has. Called often, so it must be cheap."""
