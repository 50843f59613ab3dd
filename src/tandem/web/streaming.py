"""Sending an answer chunk by chunk, and stopping when the client leaves."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from typing import Any

from tandem.web.requests import StreamResponse

logger = logging.getLogger(__name__)

# A client that takes no chunk for so long is gone, whatever its connection says.
_CHUNK_TIMEOUT_SECONDS = 60.0

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


async def send_stream(
    answer: StreamResponse, method: str, receive: Receive, send: Send, stopping: asyncio.Event
) -> None:
    """Send `answer` until it ends, the client leaves, or (endless ones) the server stops.

    What fails before the first chunk is raised and can still become a problem. What fails later is logged,
    and the connection is broken off, so that the client does not take half an answer for a whole one.
    """
    try:
        first = b"" if answer.endless or method == "HEAD" else await anext(answer.chunks, b"")
        await send({"type": "http.response.start", "status": answer.status, "headers": _headers(answer)})
        if method == "HEAD" or await _send_chunks_until(answer, first, receive, send, stopping):
            await send({"type": "http.response.body", "body": b""})
    finally:
        close = getattr(answer.chunks, "aclose", None)
        if close is not None:
            await close()


def _headers(answer: StreamResponse) -> list[tuple[bytes, bytes]]:
    headers = [(b"content-type", answer.media_type.encode())]
    headers += [(name.encode("latin-1"), value.encode("latin-1")) for name, value in answer.headers]
    return headers


async def _send_chunks_until(
    answer: StreamResponse, first: bytes, receive: Receive, send: Send, stopping: asyncio.Event
) -> bool:
    """Whether the answer came to an end that the client may take for one."""
    sending = asyncio.ensure_future(_send_chunks(first, answer.chunks, send))
    others = [asyncio.ensure_future(_client_left(receive))]
    if answer.endless:
        others.append(asyncio.ensure_future(_wait(stopping)))
    try:
        await asyncio.wait([sending, *others], return_when=asyncio.FIRST_COMPLETED)
        if sending.done():
            sending.result()
        return sending.done() or stopping.is_set()
    except asyncio.CancelledError:
        return False
    except Exception:
        logger.exception("An answer broke off half way")
        return False
    finally:
        for task in (sending, *others):
            task.cancel()
        await asyncio.gather(sending, *others, return_exceptions=True)


async def _send_chunks(first: bytes, chunks: AsyncIterator[bytes], send: Send) -> None:
    await _send_chunk(first, send)
    async for chunk in chunks:
        await _send_chunk(chunk, send)


async def _send_chunk(chunk: bytes, send: Send) -> None:
    if chunk:
        async with asyncio.timeout(_CHUNK_TIMEOUT_SECONDS):
            await send({"type": "http.response.body", "body": chunk, "more_body": True})


async def _client_left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _wait(event: asyncio.Event) -> None:
    with contextlib.suppress(asyncio.CancelledError):
        await event.wait()
