"""Opens a session at the one of several hosts that may write, and never waits long for one of them.

A URL may name several hosts, of which one is the primary: `postgresql://a:5432,b:5432,c:5432/tandem`. The
driver tries them, too, but in their order and within one time limit for all, so that a host whose cable is
cut would keep it from the others for ever. Here each session tries them in a random order, each for two
seconds, and last those that did not answer lately.
"""

import random
import re
import socket
import time
from typing import Any

import asyncpg

from tandem.postgres.faults import DRIVER_ERRORS, NoPrimary

_SECONDS_A_HOST = 2.0
_SECONDS_LAST = 10.0
# All up to the hosts, the hosts, the rest.
_URL = re.compile(r"(\w+://(?:[^/?#]*@)?)([^/?#]*)(.*)", re.DOTALL)

# A host without power or cable says nothing. The kernel then ends a connection on which something was not
# acknowledged for so long, or none of so many probes was: milliseconds, seconds, seconds, a count. That is
# less than any failover takes; without it, a call would wait for its deadline.
_TCP = {"TCP_USER_TIMEOUT": 5_000, "TCP_KEEPIDLE": 3, "TCP_KEEPINTVL": 1, "TCP_KEEPCNT": 3}


class Hosts:
    """The hosts of a URL, and which of them did not answer lately."""

    def __init__(self, url: str) -> None:
        """`url` names one host, or several with commas between them."""
        found = _URL.fullmatch(url)
        start, hosts, rest = found.groups() if found else (url, "", "")
        self._urls = [f"{start}{host}{rest}" for host in hosts.split(",")]
        # A standby is of no use to a program that writes. Who says otherwise in the URL wants it so.
        is_open = len(self._urls) > 1 and "target_session_attrs" not in rest
        self._wanted: dict[str, Any] = {"target_session_attrs": "read-write"} if is_open else {}
        self._last_until: dict[str, float] = {}

    async def open(self, seconds: float, **options: Any) -> asyncpg.Connection:
        """A session, with these options of `asyncpg.connect`. Of several hosts, each has at most 2 s.

        Raises:
            Exception: one of `DRIVER_ERRORS`, of a host that has not just said that it is a standby; or
                ValueError, where the URL cannot be read.
        """
        if len(self._urls) > 1:
            seconds = min(seconds, _SECONDS_A_HOST)
        errors: list[Exception] = []
        for url in self._in_order():
            try:
                session: asyncpg.Connection = await asyncpg.connect(
                    url, timeout=seconds, **self._wanted, **options
                )
            except DRIVER_ERRORS as error:
                errors.append(error)
                if isinstance(error, OSError):  # which a TimeoutError is, too
                    self._last_until[url] = time.monotonic() + _SECONDS_LAST
            else:
                _notice_silence(session)
                return session
        raise next((error for error in errors if not isinstance(error, NoPrimary)), errors[0])

    def _in_order(self) -> list[str]:
        now = time.monotonic()
        shuffled = random.sample(self._urls, len(self._urls))
        return sorted(shuffled, key=lambda url: self._last_until.get(url, 0.0) > now)


async def open_session(url: str, seconds: float, **options: Any) -> asyncpg.Connection:
    """One session at a host of this URL; see `Hosts.open`."""
    return await Hosts(url).open(seconds, **options)


def _notice_silence(session: asyncpg.Connection) -> None:
    """Have the kernel end the session's connection soon after its server's host has fallen silent."""
    # Private, but there is no other way to it.
    connection = session._transport.get_extra_info("socket")  # type: ignore[attr-defined]
    if connection is None or connection.family not in (socket.AF_INET, socket.AF_INET6):
        return
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in _TCP.items():
        if hasattr(socket, name):
            connection.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
