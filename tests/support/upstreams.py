"""Servers that misbehave on purpose, for load balancers to stand in front of."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from typing import Any

from tandem_stack.ports import free_port

GET = "GET / HTTP/1.1\r\nHost: test\r\n\r\n"
POST = "POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 2\r\n{more}\r\n{{}}"
PLAIN = POST.format(more="")
KEYED = POST.format(more="Idempotency-Key: k\r\n")
Behaviour = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Coroutine[Any, Any, None]]


class Upstream:
    """A server that counts the requests it has read, and then behaves as it is told."""

    def __init__(self, behaviour: Behaviour) -> None:
        self.requests: list[bytes] = []
        self._behaviour = behaviour

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                body = await reader.readexactly(2) if b"content-length: 2\r" in head.lower() else b""
                self.requests.append(head + body)
                await self._behaviour(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


def asked(upstreams: Sequence[Upstream]) -> list[bytes]:
    """What clients have asked for. A load balancer asks by itself how an upstream is."""
    return [request for each in upstreams for request in each.requests if b"/health/" not in request]


async def answer_ok(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfine")


async def answer_not_ready(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 3\r\n\r\nno.")


async def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.close()


async def never_answer(*_: object) -> None:
    await asyncio.Event().wait()


@asynccontextmanager
async def run_upstreams(*behaviours: Behaviour | None) -> AsyncIterator[tuple[Sequence[int], list[Upstream]]]:
    """One upstream for each behaviour, and the ports of all; None is a port where nobody listens."""
    upstreams = [Upstream(behaviour) for behaviour in behaviours if behaviour]
    # The kernel gives them ports: of those that are only found free, another process may take one first.
    servers = [await asyncio.start_server(upstream.serve, "127.0.0.1", 0) for upstream in upstreams]
    listening = (server.sockets[0].getsockname()[1] for server in servers)
    ports = [next(listening) if behaviour else free_port() for behaviour in behaviours]
    try:
        yield ports, upstreams
    finally:
        for server in servers:
            server.close()


async def ask(port: int, request: str | bytes) -> tuple[int, dict[str, str], bytes]:
    """Send a request as it is; returns status, headers and body."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request.encode() if isinstance(request, str) else request)
    async with asyncio.timeout(20):
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        status, *lines = head.strip().split("\r\n")
        headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
        body = await reader.readexactly(int(headers.get("content-length", 0)))
    writer.close()
    return int(status.split()[1]), headers, body
