"""nginx with the local stack's configuration, in front of servers of a test."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from tandem_stack.data_folder import open_data_folder
from tandem_stack.nginx import Nginx
from tandem_stack.ports import accepts_connections, free_port
from tandem_stack.processes import Process
from upstreams import Behaviour, Upstream, run_upstreams


@asynccontextmanager
async def load_balancer(
    place: Path, *behaviours: Behaviour | None
) -> AsyncIterator[tuple[int, list[Upstream]]]:
    """nginx in front of one upstream for each behaviour; None is a port where nobody listens."""
    async with run_upstreams(*behaviours) as (ports, upstreams), run_nginx(place, ports) as port:
        yield port, upstreams


@asynccontextmanager
async def run_nginx(place: Path, ports: Sequence[int]) -> AsyncIterator[int]:
    """nginx in front of these ports; its own."""
    nginx = Nginx(open_data_folder(place / f"nginx-{ports[0]}"), free_port(), ports)
    nginx.prepare()
    process = Process.start(nginx.service.program)
    try:
        async with asyncio.timeout(10):
            while not await accepts_connections(nginx.port):
                await asyncio.sleep(0.01)
        yield nginx.port
    finally:
        await process.kill()
