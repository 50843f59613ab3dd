"""Ports on 127.0.0.1: which are free, and what to say when one is not."""

import asyncio
import random
import socket
from pathlib import Path

from tandem.local_stack.errors import StackError

LOCAL = "127.0.0.1"
_EPHEMERAL_RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")


def is_free(port: int) -> bool:
    """Whether a server could listen on `port` now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOCAL, port))
            probe.listen(1)
        except OSError:
            return False
    return True


async def accepts_connections(port: int) -> bool:
    """Whether somebody listens on `port`."""
    try:
        _, writer = await asyncio.open_connection(LOCAL, port)
    except OSError:
        return False
    writer.close()
    return True


def free_port() -> int:
    """A free port below those that the kernel gives to outgoing connections.

    One of theirs could be in use by a client at the moment when a server that died wants it back; a client that tries to
    connect to its own number would even find itself.
    """
    lowest_ephemeral = int(_EPHEMERAL_RANGE.read_text().split()[0])
    candidates = range(20_000, lowest_ephemeral) if lowest_ephemeral > 21_000 else range(5_000, 65_000)
    for port in random.sample(candidates, 100):
        if is_free(port):
            return port
    msg = (
        f"Found no free port between {candidates[0]} and {candidates[-1]}. Name some with --postgres-port and "
        "--mongodb-port."
    )
    raise StackError(msg)


def require_free(ports: dict[int, str]) -> None:
    """Check that the ports are free; each with the option that chooses another.

    Raises:
        StackError: names the first that is taken.
    """
    for port, option in ports.items():
        if not is_free(port):
            msg = f"Port {port} on {LOCAL} is taken by another program. End that one, or choose another with {option}."
            raise StackError(msg)
