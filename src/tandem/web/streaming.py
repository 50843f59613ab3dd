"""Sending an answer chunk by chunk, and stopping when the client leaves."""

import asyncio
import contextlib
import logging
from typing import Protocol

from tandem.web.requests import RawRequest, Response, StreamResponse

logger = logging.getLogger(__name__)

# A client that takes no chunk for so long is gone, whatever its connection says.
_CHUNK_TIMEOUT_SECONDS = 60.0


class Client(Protocol):
    """Who the stream is sent to; see `Connection`."""

    left: "asyncio.Future[None]"

    @property
    def takes_chunks(self) -> bool:
        """Whether it knows chunks; HTTP/1.0 does not, and reads until the connection closes."""

    def write_head(self, answer: Response | StreamResponse, headers: bytes, *, last: bool) -> None:
        """Send status line and headers."""

    def write(self, data: bytes) -> None:
        """Send it."""

    async def writable(self) -> None:
        """Wait until the client has read most of what was written."""


async def send_stream(
    answer: StreamResponse, request: RawRequest, client: Client, stopping: asyncio.Event
) -> bool:
    """Send `answer` until it ends, the client leaves, or (endless ones) the server stops.

    False says that the connection must be closed: its end is the answer's end, or some of the answer is
    missing (which is logged), and the client must not take half of it for the whole.
    """
    chunked = client.takes_chunks
    length = b"Transfer-Encoding: chunked\r\n" if chunked else b""
    try:
        client.write_head(answer, length, last=not (request.keep_alive and chunked))
        if request.method == "HEAD":
            return True
        if not await _send_chunks_until(answer, client, stopping):
            return False
        if chunked:
            client.write(b"0\r\n\r\n")
        return chunked
    finally:
        close = getattr(answer.chunks, "aclose", None)
        if close is not None:
            await close()


async def _send_chunks_until(answer: StreamResponse, client: Client, stopping: asyncio.Event) -> bool:
    """Whether the answer came to an end that the client may take for one."""
    sending = asyncio.ensure_future(_send_chunks(answer, client))
    until: list[asyncio.Future[None]] = [sending, client.left]
    stopped = asyncio.ensure_future(_wait(stopping))
    if answer.endless:
        until.append(stopped)
    try:
        await asyncio.wait(until, return_when=asyncio.FIRST_COMPLETED)
        if sending.done():
            sending.result()
        return sending.done() or stopping.is_set()
    except asyncio.CancelledError:
        return False
    except Exception:
        logger.exception("An answer broke off half way")
        return False
    finally:
        for task in (sending, stopped):
            task.cancel()
        await asyncio.gather(sending, stopped, return_exceptions=True)


async def _send_chunks(answer: StreamResponse, client: Client) -> None:
    _send_chunk(answer.first, client)
    async for chunk in answer.chunks:
        _send_chunk(chunk, client)
        async with asyncio.timeout(_CHUNK_TIMEOUT_SECONDS):
            await client.writable()


def _send_chunk(chunk: bytes, client: Client) -> None:
    if chunk:
        client.write(b"%x\r\n%b\r\n" % (len(chunk), chunk) if client.takes_chunks else chunk)


async def _wait(event: asyncio.Event) -> None:
    with contextlib.suppress(asyncio.CancelledError):
        await event.wait()
