"""What one client may send and how long it may take, and what answers requests: what every adapter knows."""

from typing import Protocol

import msgspec

from tandem.http.counters import HttpCounters
from tandem.http.requests import RawRequest, Response, StreamResponse


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """In bytes and seconds. Granian holds clients to those that are marked so; the rest is held to here."""

    #: Granian: for a head, at least 8,192. It counts in steps, so that up to twice as much may pass.
    head_bytes: int = 32_768
    #: Granian: for a whole head, counted from the answer before: so, too, how long a connection may be idle.
    #: Longer than nginx keeps an idle connection, so that never is one closed that is about to be used.
    head_seconds: float = 30.0
    #: Granian: open connections. More wait until some have closed.
    connections: int = 10_000
    body_bytes: int = 65_536
    body_seconds: float = 30.0
    #: The kernel: how long a client may take nothing of what has been written to it.
    answer_seconds: float = 60.0


class Answers(Protocol):
    """What answers requests, and where that is counted; see `Application`."""

    counters: HttpCounters

    async def answer(self, request: RawRequest) -> Response | StreamResponse:
        """The answer, whatever happens."""
