"""A way to the server on which answers get lost: the request arrives, then the connection breaks."""

import asyncio
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass


@dataclass
class LossyRelay:
    """Breaks the connection instead of passing on a 201, as often as it is told to. Replays go through."""

    server_port: int
    to_lose: int
    url: str = ""
    lost: int = 0

    async def relay(self, reader: StreamReader, writer: StreamWriter) -> None:
        """Carry one connection until either side ends it, or an answer is to be lost."""
        from_server, to_server = await asyncio.open_connection("127.0.0.1", self.server_port)
        requests = asyncio.ensure_future(_copy(reader, to_server))
        try:
            while (chunk := await from_server.read(65_536)) and not self._loses(chunk):
                writer.write(chunk)
                await writer.drain()
        except ConnectionError:
            pass  # the browser has had enough
        finally:
            requests.cancel()
            writer.transport.abort()
            to_server.transport.abort()

    def _loses(self, chunk: bytes) -> bool:
        first_answer = chunk.startswith(b"HTTP/1.1 201") and b"idempotent-replayed" not in chunk.lower()
        loses = first_answer and self.lost < self.to_lose
        self.lost += loses
        return loses


async def _copy(reader: StreamReader, writer: StreamWriter) -> None:
    while chunk := await reader.read(65_536):
        writer.write(chunk)
        await writer.drain()
    writer.write_eof()


@asynccontextmanager
async def losing_answers(server_port: int, to_lose: int) -> AsyncIterator[LossyRelay]:
    """A relay to the server on this port, at an address of its own."""
    relay = LossyRelay(server_port, to_lose)
    server = await asyncio.start_server(relay.relay, "127.0.0.1", 0)
    relay.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    yield relay
    server.close()
