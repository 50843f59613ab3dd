"""HAProxy as kubernetes/ configures it, with pods that it finds by name: servers on loopback addresses."""

import asyncio
import subprocess
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from kustomized import FOLDER
from name_server import NameServer, name_server
from tandem_stack.ports import free_port
from upstreams import ask
from waiting import until

NAME = "tandem-instances{}.tandem.svc.cluster.local"
READ = "GET {} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n"
COMMAND = "POST {} HTTP/1.1\r\nHost: test\r\nConnection: close\r\nContent-Length: 2\r\n{}\r\n{{}}"


@dataclass
class Pod:
    """It takes reads and, if it is ready, commands, and says its address."""

    address: str
    is_ready: bool = True

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except (asyncio.IncompleteReadError, ConnectionError):
            head = b""
        refused = head.startswith(b"GET /health/ready") and not self.is_ready
        status = "503 Service Unavailable" if refused else "200 OK"
        length = len(self.address)
        answer = f"HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
        writer.write(f"{answer}{self.address}".encode())
        writer.close()


@dataclass
class Balancer:
    """HAProxy with an overlay's configuration, the pods, and the names by which it finds them."""

    overlay: str
    names: NameServer
    port_of_pods: int = field(default_factory=free_port)
    port: int = field(default_factory=free_port)
    pods: dict[str, Pod] = field(default_factory=dict)

    async def start_pods(self, stack: AsyncExitStack, name: str, *addresses: str) -> None:
        """Let the name lead to these addresses, and no others."""
        for address in addresses:
            if address not in self.pods:
                pod = self.pods[address] = Pod(address)
                server = await asyncio.start_server(pod.serve, address, self.port_of_pods)
                await stack.enter_async_context(server)
        self.names.addresses[name] = " ".join(addresses)

    def configuration(self) -> str:
        """The overlay's, but for this machine's ports and name server."""
        text = (FOLDER / "overlays" / self.overlay / "haproxy.cfg").read_text()
        for there, here in (
            ('"${POD_IP}:8080"', f"127.0.0.1:{self.port}"),
            (".local:8080", f".local:{self.port_of_pods}"),
            ("parse-resolv-conf", f"nameserver here 127.0.0.1:{self.names.port}"),
            ("/usr/local/etc/haproxy", str(FOLDER / "overlays" / self.overlay)),
        ):
            assert there in text or there.startswith("/usr")
            text = text.replace(there, here)
        return text

    async def asked(self, request: str, times: int = 30) -> set[str]:
        """Who has answered, of so many times."""
        return {(await ask(self.port, request))[2].decode() for _ in range(times)}

    async def until_asked(self, request: str, *addresses: str) -> None:
        """Wait until these answer, and no others."""

        async def is_so() -> bool:
            try:
                return await self.asked(request) == set(addresses)
            except OSError:
                return False

        await until(is_so, f"{addresses} answer")


@asynccontextmanager
async def balancer(overlay: str, program: str, place, names: dict[str, tuple[str, ...]]) -> AsyncIterator:
    async with AsyncExitStack() as stack, name_server({}) as server:
        made = Balancer(overlay, server)
        for name, addresses in names.items():
            await made.start_pods(stack, name, *addresses)
        config = place / "haproxy.cfg"
        config.write_text(made.configuration())
        process = start(program, config, place / "haproxy.log")
        try:
            yield made, stack
        finally:
            process.kill()
            process.wait()


def start(program: str, config: Path, log: Path) -> subprocess.Popen[bytes]:
    with log.open("wb") as output:
        return subprocess.Popen([program, "-f", config], stdout=output, stderr=output)


@pytest.fixture(scope="module")
def program(require_program) -> str:
    return require_program("haproxy", "haproxy")


async def test_it_finds_pods_that_come_and_go_and_spares_who_is_not_ready_its_commands(program, tmp_path):
    one, two, three = "127.9.0.1", "127.9.0.2", "127.9.0.3"
    async with balancer("one-cell", program, tmp_path, {NAME.format(""): (one, two)}) as (haproxy, stack):
        path = "/api/v1/user-command"
        for more in ("", "Idempotency-Key: k\r\n"):
            await haproxy.until_asked(COMMAND.format(path, more), one, two)
        haproxy.pods[two].is_ready = False
        for more in ("", "Idempotency-Key: k\r\n"):
            await haproxy.until_asked(COMMAND.format(path, more), one)
        assert await haproxy.asked(READ.format("/api/v1/users")) == {one, two}
        await haproxy.start_pods(stack, NAME.format(""), two, three)
        await haproxy.until_asked(COMMAND.format(path, ""), three)
        await haproxy.until_asked(READ.format("/api/v1/users"), two, three)


async def test_it_leads_each_request_to_the_pods_of_its_cell(program, tmp_path):
    zero, one, another = "127.9.1.1", "127.9.1.2", "127.9.1.3"
    names = {NAME.format("-cell-0"): (zero,), NAME.format("-cell-1"): (one, another)}
    async with balancer("cells", program, tmp_path, names) as (haproxy, _):
        create, of = "/api/v1/user-command", "/api/v1/user-command/{}"
        await haproxy.until_asked(COMMAND.format(create, ""), zero, one, another)
        await haproxy.until_asked(COMMAND.format(of.format(7), ""), zero)
        await haproxy.until_asked(COMMAND.format(of.format(1_000_000_000_001), ""), one, another)
        haproxy.pods[one].is_ready = False
        await haproxy.until_asked(COMMAND.format(of.format(1_000_000_000_001), ""), another)
        await haproxy.until_asked(COMMAND.format(create, ""), zero, another)
        assert len(await haproxy.asked(READ.format("/api/v1/users"))) > 1
