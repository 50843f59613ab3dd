"""What the kernel can do with connections and Granian does not offer: refuse, count, pace and cut them."""

import contextlib
import errno
import fcntl
import os
import socket
import stat
import struct
import termios
from ipaddress import ip_address
from pathlib import Path

from tandem.errors import TandemError

BACKLOG = 2_048
_FILES = Path("/proc/self/fd")


class ListenError(TandemError):
    """The server cannot listen on the address that it was given; the message says what to do."""


def listen(host: str, port: int, answer_seconds: float) -> socket.socket:
    """A listening socket; port 0 for any free one.

    The kernel ends the connection of a client that reads nothing of its answer for `answer_seconds`.

    Raises:
        ListenError: the port is taken, or the address is not ours.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, port), family=family, backlog=BACKLOG)
    except OSError as error:
        hints = {
            errno.EADDRINUSE: "another program uses it. Stop that one, or choose another port.",
            errno.EACCES: "this user may not. Choose a port above 1023.",
            errno.EADDRNOTAVAIL: "this machine has no such address.",
        }
        hint = hints.get(error.errno or 0, f"{error.strerror or error}.")
        msg = f"Cannot listen on {host}, port {port}: {hint}"
        raise ListenError(msg) from None
    listener.setblocking(False)
    # Accepted connections inherit this option.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(answer_seconds * 1000))
    return listener


def stop_listening(listener: socket.socket) -> None:
    """Refuse connections from now on, although Granian still has this socket open.

    When Granian is stopped, it stops to listen and ends idle connections at the same moment. To have time in
    between, every open file of this process that is the socket is replaced by one that no client can reach.
    """
    unknown = socket.socket(socket.AF_UNIX)
    unknown.bind("")
    unknown.listen()
    unknown.setblocking(False)
    ours = os.fstat(listener.fileno())
    for number in _open_files():
        with contextlib.suppress(OSError):
            found = os.fstat(number)
            if stat.S_ISSOCK(found.st_mode) and (found.st_dev, found.st_ino) == (ours.st_dev, ours.st_ino):
                os.dup2(unknown.fileno(), number, inheritable=False)
    unknown.close()
    listener.close()


def count_connections(port: int) -> int:
    """How many connections to this port are established.

    From the files of this process: the kernel's table of all connections takes 10 ms to read, however few.
    """
    ends = map(_ends_of, _open_files())
    return sum(end is not None and end[1] == port for end in ends)


class Peer:
    """The connection of one client, found by its address: `127.0.0.1:50000`, `[::1]:50000`.

    It must be closed: until then the connection stays open, even if the server has closed it.
    """

    def __init__(self, client: str, port: int) -> None:
        self._socket = _connection_of(client, port)

    @property
    def unread_bytes(self) -> int:
        """How many of the bytes written to the client its system has not acknowledged; 0 when it has left."""
        if self._socket is None:
            return 0
        try:
            (waiting,) = struct.unpack("i", fcntl.ioctl(self._socket, termios.TIOCOUTQ, b"\0" * 4))
        except OSError:
            return 0
        return int(waiting)

    def cut(self) -> None:
        """End the connection so that the client sees that it was cut."""
        if self._socket is not None:
            with contextlib.suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Close our side of it."""
        if self._socket is not None:
            self._socket.close()


def _open_files() -> list[int]:
    return [int(path.name) for path in _FILES.iterdir()]


def _connection_of(client: str, port: int) -> socket.socket | None:
    host, _, client_port = client.rpartition(":")
    wanted = (ip_address(host.strip("[]")), int(client_port), port)
    for number in _open_files():
        if _is_of(number, wanted):
            with contextlib.suppress(OSError):
                found = socket.socket(fileno=os.dup(number))
                if _is_of(found.fileno(), wanted):
                    return found
                found.close()
    return None


def _is_of(number: int, wanted: tuple[object, int, int]) -> bool:
    """Whether this file is a connection from this address and port to our port."""
    ends = _ends_of(number)
    if ends is None or ends[1] != wanted[2]:
        return False
    host, client_port = ends[0]
    return (ip_address(host.partition("%")[0]), client_port) == wanted[:2]


def _ends_of(number: int) -> tuple[tuple[str, int], int] | None:
    """The address and port of the client, and our port; None where this file is not a TCP connection."""
    try:
        # With all of this given, Python does not ask the kernel for it. It tells addresses of IPv6 as well.
        found = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, number)
    except OSError:
        return None
    try:
        ours, peer = found.getsockname(), found.getpeername()
    except OSError:
        return None
    finally:
        found.detach()
    # Other kinds of sockets have a path, or numbers only.
    is_tcp = isinstance(peer, tuple) and isinstance(peer[0], str)
    return ((peer[0], peer[1]), ours[1]) if is_tcp else None
