"""The load generator for a peer: its adapter says what is sent, and which answers count.

Strangers' programs answer in more ways than ours. So the client here understands answers in chunks, those
that end with the connection, and servers that close it after an answer: then it connects again, and the time
for this counts as time to answer.

    python -m tandem_lab.bench.peer_generator plan.json outcome.json
"""

import asyncio
from collections.abc import Iterator
from functools import partial

import msgspec

from tandem.random_users import random_users
from tandem_lab.bench.generator import Connection, Load, Plan, header, main
from tandem_lab.peers.protocol import Peer
from tandem_lab.peers.registry import peer_named

# How soon a server that does not accept connections is tried again.
REFUSED_SECONDS = 0.1
BODILESS = {b"204", b"304"}
#: What the generator writes itself.
OWN_HEADERS = {"host", "content-length", "connection"}


class PeerLoad(Load):
    """Sends the commands of a peer over connections that are made again when the server closes them."""

    def __init__(self, plan: Plan, peer: Peer) -> None:
        super().__init__(plan, list(peer_requests(plan, peer)))
        self._peer = peer

    def _new_connection(self) -> "PeerConnection":
        return PeerConnection(self)

    def answered(self, connection: Connection, status: int, body: bytes) -> None:
        """An answer has come, or the connection was lost (status 0)."""
        self._answered(connection, status, status > 0 and self._peer.acknowledged(status, body))

    async def reconnect(self) -> "PeerConnection":
        """A new connection.

        Raises:
            OSError: the server does not accept it.
        """
        place = (self._plan.host, self._plan.port)
        return (await asyncio.get_running_loop().create_connection(partial(PeerConnection, self), *place))[1]


class PeerConnection(Connection):
    """A connection that sends on a new one when the server has closed it."""

    def __init__(self, load: PeerLoad) -> None:
        super().__init__(lambda connection, status: load.answered(connection, status, b""))
        self._load = load
        self._reconnecting: asyncio.Task[None] | None = None

    def send(self, request: bytes, due: float) -> None:
        """Send a request, which was due at the time `due`."""
        if self._transport is None or self._transport.is_closing():
            self._reconnecting = asyncio.create_task(self._send_on_a_new_one(request, due))
        else:
            super().send(request, due)

    def data_received(self, data: bytes) -> None:
        """Collect one whole answer, then report it."""
        self._buffer += data
        self._report_if_whole()

    def eof_received(self) -> None:
        """The server sends no more, which is the end of an answer that does not say its length."""
        self._report_if_whole(ended=True)

    def _report_if_whole(self, *, ended: bool = False) -> None:
        assert self._transport is not None  # noqa: S101 - narrows the type: something was received
        try:
            body = body_of(self._buffer, ended=ended) if self.busy else None
            status = int(self._buffer[9:12]) if body is not None else 0
        except ValueError:
            self._transport.abort()  # the request has failed, which `connection_lost` reports
            return
        if body is None:
            return
        answer, self._buffer = self._buffer, b""
        if ended or closes(answer):
            self._transport.close()
        self._load.answered(self, status, body)

    async def _send_on_a_new_one(self, request: bytes, due: float) -> None:
        try:
            connection = await self._load.reconnect()
        except OSError:
            self.due = due
            await asyncio.sleep(REFUSED_SECONDS)
            self._load.answered(self, 0, b"")
        else:
            connection.send(request, due)


def body_of(answer: bytes, *, ended: bool) -> bytes | None:
    """The body of an answer; None while it is not whole. `ended`: nothing follows, whatever was announced.

    Raises:
        ValueError: it is no answer in HTTP/1.
    """
    head, found, rest = answer.partition(b"\r\n\r\n")
    if not found:
        return None
    if not head.startswith(b"HTTP/1."):
        raise ValueError(f"{head[:20]!r} is no answer in HTTP/1.")
    if header(answer, b"transfer-encoding").endswith(b"chunked"):
        return unchunked(rest)
    if head[9:12] in BODILESS:
        return b""
    length = header(answer, b"content-length")
    if not length:
        return rest if ended else None
    return rest[: int(length)] if len(rest) >= int(length) else None


def unchunked(rest: bytes) -> bytes | None:
    """The body that was sent in chunks; None while its last one has not come.

    Raises:
        ValueError: these are no chunks.
    """
    body = b""
    while True:
        line, found, rest = rest.partition(b"\r\n")
        if not found:
            return None
        size = int(line.partition(b";")[0], 16)
        if size == 0:  # after it come trailers, if any, and an empty line
            return body if rest.startswith(b"\r\n") or b"\r\n\r\n" in rest else None
        if len(rest) < size + 2:
            return None
        body, rest = body + rest[:size], rest[size + 2 :]


def closes(answer: bytes) -> bool:
    """Whether the server closes the connection after this answer."""
    wish = header(answer, b"connection")
    return wish == b"close" or (answer.startswith(b"HTTP/1.0") and wish != b"keep-alive")


def peer_requests(plan: Plan, peer: Peer) -> Iterator[bytes]:
    """The peer's command for each user of the plan, each with a key and an address of its own."""
    for number, made_up in enumerate(random_users(str(plan.seed), 0, plan.requests)):
        key = f"{plan.seed}-{number}"
        user = msgspec.json.decode(msgspec.json.encode(made_up)) | {"email": f"{key}@example.com"}
        request = peer.command(user, key)
        named = {name: value for name, value in request.headers.items() if name.lower() not in OWN_HEADERS}
        lines = "".join(f"{name}: {value}\r\n" for name, value in named.items())
        head = (
            f"{request.method} {request.path} HTTP/1.1\r\nHost: {plan.host}:{plan.port}\r\n{lines}"
            f"Content-Length: {len(request.body)}\r\n\r\n"
        )
        yield head.encode() + request.body


if __name__ == "__main__":
    main(lambda plan: PeerLoad(plan, peer_named(plan.peer)))
