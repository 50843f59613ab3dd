"""A TCP proxy that breaks connections the way networks do: silently, or at the worst moment."""

import asyncio
import contextlib
from dataclasses import dataclass, replace
from typing import Self
from urllib.parse import urlsplit

from systems import System


@dataclass
class Link:
    """One forwarded connection."""

    client: asyncio.StreamWriter
    server: asyncio.StreamWriter | None = None
    silent: bool = False
    answer_is_lost: bool = False

    def close(self) -> None:
        self.client.close()
        if self.server is not None:
            self.server.close()


class Proxy:
    """Stands on `port` in front of a server of this machine, which listens on `target`."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._links: list[Link] = []
        self._silent = False
        self._marker: bytes | None = None
        #: Set when an answer was cut off.
        self.cut = asyncio.Event()

    async def __aenter__(self) -> Self:
        self._listener = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port: int = self._listener.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *error: object) -> None:
        self._listener.close()
        self.break_off()

    def fall_silent(self) -> None:
        """Forward nothing more, in no direction, and keep every socket open; new ones are silent too."""
        self._silent = True
        for link in self._links:
            link.silent = True

    def forward_again(self) -> None:
        """Forward new connections. Those that were silent stay so for ever."""
        self._silent = False

    def move_to(self, target: int) -> None:
        """Lead to another server from now on; the connections to the one before break off."""
        self._target = target
        self.break_off()

    def break_off(self) -> None:
        """Close all connections, silent ones as well."""
        for link in self._links:
            link.close()

    def cut_answer_to(self, marker: bytes) -> None:
        """Forward the next request that has these bytes in it, and break off when its answer comes."""
        self._marker = marker

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        link = Link(writer, silent=self._silent)
        self._links.append(link)
        with contextlib.suppress(OSError):
            if link.silent:
                await reader.read(-1)
                return
            answers, link.server = await asyncio.open_connection("127.0.0.1", self._target)
            await asyncio.gather(
                self._forward_requests(reader, link, link.server), self._forward_answers(answers, link)
            )

    async def _forward_requests(
        self, reader: asyncio.StreamReader, link: Link, server: asyncio.StreamWriter
    ) -> None:
        while data := await reader.read(65_536):
            if self._marker is not None and self._marker in data:
                link.answer_is_lost, self._marker = True, None
            if not link.silent:
                server.write(data)
                await server.drain()
        server.close()

    async def _forward_answers(self, reader: asyncio.StreamReader, link: Link) -> None:
        while data := await reader.read(65_536):
            if link.answer_is_lost:
                link.close()
                self.cut.set()
                return
            if not link.silent:
                link.client.write(data)
                await link.client.drain()
        if not link.silent:
            link.client.close()


def port_of(url: str) -> int:
    """The port in the URL of a database."""
    port = urlsplit(url).port
    assert port is not None
    return port


def through(system: System, *, postgres: Proxy | None = None, mongodb: Proxy | None = None) -> System:
    """The same system, whose instances reach their databases through these proxies."""
    urls = system.urls
    if postgres is not None:
        urls = replace(urls, postgres_service_url=_by_way_of(postgres, urls.postgres_service_url))
    if mongodb is not None:
        urls = replace(urls, mongodb_service_url=_by_way_of(mongodb, urls.mongodb_service_url))
    return replace(system, urls=urls)


def _by_way_of(proxy: Proxy, url: str) -> str:
    return url.replace(f":{port_of(url)}/", f":{proxy.port}/")
