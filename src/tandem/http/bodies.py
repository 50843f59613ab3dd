"""The body of a request, read within bounds."""

from collections.abc import AsyncIterator

from tandem.http.heads import CLOSE, bad_head
from tandem.http.limits import Limits
from tandem.http.problems import ProblemError
from tandem.http.requests import RawHeaders

# Who is still writing when we close sees a reset connection and not our 413. So a body that is only somewhat
# too long is read to its end, and thrown away; one beyond this is not read on.
_MAX_DISCARDED_BYTES = 1_048_576

BROKEN_OFF = "The body broke off, or trailers followed it: send it whole, and none."


def length_of(headers: RawHeaders) -> int | None:
    """How long the body is; None when only reading it will tell."""
    length = headers.get("content-length")
    if length is not None:
        return int(length)
    return None if "transfer-encoding" in headers else 0


async def read_within(chunks: AsyncIterator[bytes], length: int | None, limits: Limits) -> bytes:
    """The body that comes in these chunks.

    Raises:
        ProblemError: 413; `chunks` may raise others.
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
    """For a body that takes longer than it may."""
    return ProblemError(408, "The body of the request did not arrive in time.", headers=(CLOSE,))
