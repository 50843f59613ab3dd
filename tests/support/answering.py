"""A small server that answers each request with what it is told, and may close the connection after it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from tandem_lab.bench.generator import header


class Answering:
    """How many connections and requests there were so far."""

    def __init__(self, answer: bytes, *, then_close: bool, most_connections: int = 1_000) -> None:
        self.answer = answer
        self.then_close = then_close
        self._most_connections = most_connections
        self.port = 0
        self.connections = 0
        self.requests = 0

    @asynccontextmanager
    async def serving(self) -> AsyncIterator["Answering"]:
        """Serve on a free port during the block."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        async with self._server:
            yield self

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        if self.connections == self._most_connections:
            self._server.close()  # accepts no more
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                await reader.readexactly(int(header(head, b"content-length") or 0))
                self.requests += 1
                # In two parts, as a network may bring it.
                for part in (self.answer[:20], self.answer[20:]):
                    writer.write(part)
                    await writer.drain()
                    await asyncio.sleep(0)
                if self.then_close:
                    break
        writer.close()
