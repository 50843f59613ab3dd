"""What the adapter of every server needs: the limits for one client, and what answers requests."""

from typing import Protocol

import msgspec

from tandem.http.counters import HttpCounters
from tandem.http.requests import RawRequest, Response, StreamResponse


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """In bytes and seconds. Granian or the kernel enforces those marked so, and this package the others."""

    #: Granian: of a head; at least 8,192. It counts in steps, so up to twice as much may pass.
    head_bytes: int = 32_768
    #: Granian: until the whole head is there, counted from the answer before. So a connection may be idle for
    #: as long. It is longer than nginx keeps an idle connection: nginx must not use one that is being closed.
    head_seconds: float = 30.0
    #: Granian: open connections. Further ones wait until some have closed.
    connections: int = 10_000
    body_bytes: int = 65_536
    body_seconds: float = 30.0
    #: The kernel: how long a client may read nothing of what was written to it.
    answer_seconds: float = 60.0


class Answers(Protocol):
    """Answers requests and counts them, as `Application` does."""

    counters: HttpCounters

    async def answer(self, request: RawRequest) -> Response | StreamResponse:
        """The answer, whatever happens."""
