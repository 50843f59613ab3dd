"""A name server that answers what it is told, like Docker's for the names of containers."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import dns.message
import dns.rrset

from tandem_stack.ports import free_port


@dataclass
class NameServer(asyncio.DatagramProtocol):
    """Answers every name with its address in `addresses`, or several with spaces between.

    A test may change them at any time.
    """

    addresses: dict[str, str]
    port: int = field(default_factory=free_port)

    def connection_made(self, transport) -> None:
        self._transport = transport

    def datagram_received(self, data: bytes, sender: tuple[str, int]) -> None:
        query = dns.message.from_wire(data)
        answer = dns.message.make_response(query)
        name = query.question[0].name
        if address := self.addresses.get(name.to_text(omit_final_dot=True)):
            answer.answer.append(dns.rrset.from_text(name, 600, "IN", "A", *address.split()))
        self._transport.sendto(answer.to_wire(), sender)


@asynccontextmanager
async def name_server(addresses: dict[str, str]) -> AsyncIterator[NameServer]:
    """A name server on 127.0.0.1."""
    server = NameServer(addresses)
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(lambda: server, local_addr=("127.0.0.1", server.port))
    yield server
    transport.close()
