"""The body of a request, read within bounds."""

from collections.abc import AsyncIterator

from tandem.http.heads import CLOSE, bad_head
from tandem.http.limits import Limits
from tandem.http.problems import ProblemError
from tandem.http.requests import RawHeaders

# A client that is still writing when we close sees a reset connection instead of our 413. So a body that is
# only somewhat too long is read to its end and thrown away. Of a body longer than this, no more is read.
_MAX_DISCARDED_BYTES = 1_048_576

BROKEN_OFF = "The body broke off, or trailers followed it. Send the whole body, and no trailers."


def length_of(headers: RawHeaders) -> int | None:
    """How many bytes the body has; None for a body in chunks, whose length shows only when it is read."""
    length = headers.get("content-length")
    if length is not None:
        return int(length)
    return None if "transfer-encoding" in headers else 0


async def read_within(chunks: AsyncIterator[bytes], length: int | None, limits: Limits) -> bytes:
    """The body that comes in these chunks.

    Raises:
        ProblemError: 413, or what `chunks` raises.
    """
    too_long = ProblemError(413, f"The body may have at most {limits.body_bytes} bytes.", headers=(CLOSE,))
    if length is not None and length > _MAX_DISCARDED_BYTES:
        raise too_long
    kept: list[bytes] = []
    size = 0
    async for chunk in chunks:
        size += len(chunk)
        if size > _MAX_DISCARDED_BYTES:
            raise too_long
        if size <= limits.body_bytes:
            kept.append(chunk)
    if size > limits.body_bytes:
        raise too_long
    if length is not None and size != length:
        raise bad_head(BROKEN_OFF)
    return b"".join(kept)


def too_slow() -> ProblemError:
    """The problem for a body that takes too long."""
    return ProblemError(408, "The body of the request did not arrive in time.", headers=(CLOSE,))
