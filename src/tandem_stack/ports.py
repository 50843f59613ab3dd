"""Ports, on 127.0.0.1 unless an address is given: which are free, and which answer."""

import asyncio
import random
import socket
from collections.abc import Collection, Iterable
from contextlib import suppress
from pathlib import Path

from tandem_stack.errors import StackError

LOCAL = "127.0.0.1"
HIGHEST = 65_535
ANSWER_SECONDS = 2.0
_EPHEMERAL_RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")


def is_free(port: int, address: str = LOCAL) -> bool:
    """Whether a server could listen on `port` now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
            probe.listen(1)
        except OSError:
            return False
    return True


async def accepts_connections(port: int, address: str = LOCAL) -> bool:
    """Whether a server listens on `port`."""
    try:
        _, writer = await asyncio.open_connection(address, port)
    except OSError:
        return False
    writer.close()
    return True


def free_port(but: Collection[int] = ()) -> int:
    """A free port, none of `but`, below the range that the kernel uses for outgoing connections.

    A client could use a port of that range just when a server that died needs it again. A client could even
    get the very port that it connects to, and so connect to itself.

    Raises:
        StackError: no free port was found.
    """
    lowest_ephemeral = int(_EPHEMERAL_RANGE.read_text().split()[0])
    candidates = range(20_000, lowest_ephemeral) if lowest_ephemeral > 21_000 else range(5_000, 65_000)
    for port in random.sample(candidates, 100):
        if port not in but and is_free(port):
            return port
    msg = (
        f"Found no free port between {candidates[0]} and {candidates[-1]}. "
        "Name some with --postgres-port and --mongodb-port."
    )
    raise StackError(msg)


def free_ports_in_a_row(count: int) -> int:
    """The first of `count` free ports that follow each other.

    Raises:
        StackError: none were found.
    """
    for _ in range(200):
        first = free_port()
        if all(map(is_free, range(first, first + count))):
            return first
    msg = f"Found no {count} free ports in a row for the instances. Free some, and try again."
    raise StackError(msg)


def require_free(wanted: Iterable[tuple[int, str]]) -> None:
    """Check that the ports are free. Each comes with the option that sets it.

    Raises:
        StackError: names the first that is in use, given twice, or out of range.
    """
    seen: dict[int, str] = {}
    for port, option in wanted:
        if port > HIGHEST:
            msg = f"There is no port {port}. Choose a lower one with {option}."
            raise StackError(msg)
        if port in seen:
            msg = f"Port {port} is asked for twice, with {seen[port]} and {option}. Choose different ones."
            raise StackError(msg)
        if not is_free(port):
            msg = f"Port {port} on {LOCAL} is in use. End that program, or choose another port with {option}."
            raise StackError(msg)
        seen[port] = option


async def answers(question: bytes, port: int, address: str = LOCAL) -> bool:
    """Whether a server says anything to these bytes within `ANSWER_SECONDS`.

    That it accepts a connection tells nothing: the kernel does that for a frozen process, too.
    """
    with suppress(OSError, TimeoutError):
        async with asyncio.timeout(ANSWER_SECONDS):
            reader, writer = await asyncio.open_connection(address, port)
            try:
                writer.write(question)
                return bool(await reader.read(1))
            finally:
                writer.close()
    return False


async def http_status(port: int, path: str, address: str = LOCAL) -> int | None:
    """The status of `GET path` on `port`, or None without an answer within `ANSWER_SECONDS`."""
    answer = await http_answer(address, port, "GET", path)
    return answer[0] if answer else None


async def http_answer(
    address: str, port: int, method: str, path: str, content: bytes = b"", *headers: str
) -> tuple[int, bytes] | None:
    """Status and content of an answer, or None without one within `ANSWER_SECONDS`.

    The stack asks so little that it needs no client: answers are short, so none comes in chunks.
    """
    always = [f"Host: {address}", "Connection: close", f"Content-Length: {len(content)}"]
    lines = [f"{method} {path} HTTP/1.1", *always, *headers]
    with suppress(OSError, TimeoutError, ValueError, IndexError):
        async with asyncio.timeout(ANSWER_SECONDS):
            reader, writer = await asyncio.open_connection(address, port)
            try:
                writer.write("\r\n".join([*lines, "", ""]).encode() + content)
                head, _, answer = (await reader.read()).partition(b"\r\n\r\n")
                return int(head.split()[1]), answer
            finally:
                writer.close()
    return None
