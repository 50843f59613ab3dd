"""Sends an answer chunk by chunk through Granian, at the client's pace, and stops when the client leaves."""

import asyncio
import logging

from granian._granian import RSGIHTTPStreamTransport
from granian.rsgi import HTTPProtocol, ProtocolClosed

from tandem.http.racing import unless
from tandem.http.requests import StreamResponse
from tandem.http.sockets import Peer

logger = logging.getLogger(__name__)

# Granian takes all chunks at once, however slowly the client reads. So after this many bytes we ask the
# kernel how many have been read. For shorter answers we never ask.
_BYTES_BETWEEN_LOOKS = 262_144
_MAX_UNREAD_BYTES = 131_072
_SECONDS_BETWEEN_LOOKS = 0.01


class StreamSender:
    """Sends one stream.

    Args:
        proto: Granian's.
        client: the client's address, as Granian has it.
        port: the one that we listen on.
        stopping: set when the server stops.
    """

    def __init__(self, proto: HTTPProtocol, client: str, port: int, stopping: asyncio.Event) -> None:
        self._proto = proto
        self._client = client
        self._port = port
        self._stopping = stopping

    async def send(self, answer: StreamResponse, headers: list[tuple[str, str]], *, head_only: bool) -> None:
        """Send `answer` until it ends, the client leaves, or (endless ones) the server stops.

        If some of it is missing, the connection is cut: Granian would end the answer as if it were whole.
        """
        try:
            # The answer ends when this object is deleted.
            transport = self._proto.response_stream(answer.status, headers)
            if not head_only and not await self._send_until(answer, transport):
                peer = Peer(self._client, self._port)
                peer.cut()
                peer.close()
            del transport
        finally:
            await answer.close()

    async def _send_until(self, answer: StreamResponse, transport: RSGIHTTPStreamTransport) -> bool:
        """Send it. False if the connection must be cut, since some of it is missing."""
        ends = [self._client_left(), *([self._stopping.wait()] if answer.endless else ())]
        try:
            sent = await unless(self._send_chunks(answer, transport), *ends)
            if sent:
                sent.result()
            return sent is not None or self._stopping.is_set()
        except ProtocolClosed:
            return True  # the client has gone
        except asyncio.CancelledError:
            return False
        except Exception:
            logger.exception("An answer broke off half way")
            return False

    async def _send_chunks(self, answer: StreamResponse, transport: RSGIHTTPStreamTransport) -> None:
        peer: Peer | None = None
        sent = len(answer.first)
        try:
            if answer.first:
                await transport.send_bytes(answer.first)
            async for chunk in answer.chunks:
                if chunk:
                    await transport.send_bytes(chunk)
                sent += len(chunk)
                if sent >= _BYTES_BETWEEN_LOOKS:
                    sent = 0
                    peer = peer or Peer(self._client, self._port)
                    await _until_read(peer)
        finally:
            if peer is not None:
                peer.close()

    async def _client_left(self) -> None:
        # What Granian returns can be awaited, but lacks much of a future.
        await self._proto.client_disconnect()


async def _until_read(peer: Peer) -> None:
    # A thread of Granian's writes: let it run first.
    await asyncio.sleep(0)
    while peer.unread_bytes > _MAX_UNREAD_BYTES:  # noqa: ASYNC110 - the kernel has no event for it
        await asyncio.sleep(_SECONDS_BETWEEN_LOOKS)
