"""Sending an answer chunk by chunk through Granian, at its client's pace, and stopping when that leaves."""

import asyncio
import logging

from granian._granian import RSGIHTTPStreamTransport
from granian.rsgi import HTTPProtocol, ProtocolClosed, Scope

from tandem.web.requests import StreamResponse
from tandem.web.sockets import Peer

logger = logging.getLogger(__name__)

# Granian takes all chunks at once, however slowly the client reads. So after so many bytes it is asked what of
# them has been read; shorter answers never ask.
_BYTES_BETWEEN_LOOKS = 262_144
_MAX_UNREAD_BYTES = 131_072
_SECONDS_BETWEEN_LOOKS = 0.01


async def send_stream(  # noqa: PLR0913
    answer: StreamResponse,
    headers: list[tuple[str, str]],
    scope: Scope,
    proto: HTTPProtocol,
    stopping: asyncio.Event,
    port: int,
) -> None:
    """Send `answer` until it ends, the client leaves, or (endless ones) the server stops.

    Where some of it is missing the connection is cut, since Granian would end it as if it were whole.
    """
    try:
        # While this is there, the answer has not ended.
        transport = proto.response_stream(answer.status, headers)
        if scope.method != "HEAD" and not await _send_until(answer, transport, scope, proto, stopping, port):
            _cut(scope, port)
        del transport
    finally:
        close = getattr(answer.chunks, "aclose", None)
        if close is not None:
            await close()


async def _send_until(  # noqa: PLR0913
    answer: StreamResponse,
    transport: RSGIHTTPStreamTransport,
    scope: Scope,
    proto: HTTPProtocol,
    stopping: asyncio.Event,
    port: int,
) -> bool:
    """Whether the answer came to an end that the client may take for one."""
    sending = asyncio.ensure_future(_send(answer, transport, scope, port))
    leaving = asyncio.ensure_future(_left(proto))
    stopped = asyncio.ensure_future(stopping.wait())
    ends = (sending, leaving, stopped) if answer.endless else (sending, leaving)
    try:
        await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        if sending.done():
            sending.result()
        return sending.done() or stopping.is_set()
    except ProtocolClosed:
        return True  # the client has gone
    except asyncio.CancelledError:
        return False
    except Exception:
        logger.exception("An answer broke off half way")
        return False
    finally:
        for task in (sending, leaving, stopped):
            task.cancel()
        await asyncio.gather(sending, leaving, stopped, return_exceptions=True)


async def _send(answer: StreamResponse, transport: RSGIHTTPStreamTransport, scope: Scope, port: int) -> None:
    peer: Peer | None = None
    if answer.first:
        await transport.send_bytes(answer.first)
    sent = len(answer.first)
    try:
        async for chunk in answer.chunks:
            if chunk:
                await transport.send_bytes(chunk)
            sent += len(chunk)
            if sent >= _BYTES_BETWEEN_LOOKS:
                sent = 0
                peer = peer or Peer(scope.client, port)
                # Granian's own thread writes; let it come first.
                await asyncio.sleep(0)
                while peer.unread_bytes > _MAX_UNREAD_BYTES:
                    await asyncio.sleep(_SECONDS_BETWEEN_LOOKS)
    finally:
        if peer is not None:
            peer.close()


async def _left(proto: HTTPProtocol) -> None:
    # What Granian returns can be awaited, but lacks much of a future.
    await proto.client_disconnect()


def _cut(scope: Scope, port: int) -> None:
    peer = Peer(scope.client, port)
    peer.cut()
    peer.close()
