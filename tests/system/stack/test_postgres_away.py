"""nginx in front of real instances that cannot reach PostgreSQL: reads and commands are two questions."""

from collections import Counter
from pathlib import Path

import httpx
import pytest

from nginx_in_front import run_nginx
from proxy import Proxy, port_of, through
from waiting import until

BRIEFLY = {"DATABASE_TIMEOUT_SECONDS": "1"}


async def statuses(client: httpx.AsyncClient, count: int) -> tuple[Counter[int], Counter[int]]:
    """How so many commands and reads, one after the other, were answered."""
    body = {"email": "a@b.example"}
    commands = [await client.post("/api/v1/user-command?seed=away", json=body) for _ in range(count)]
    reads = [await client.get("/api/v1/user-query?seed=away") for _ in range(count)]
    return Counter(each.status_code for each in commands), Counter(each.status_code for each in reads)


@pytest.mark.slow
async def test_reads_go_on_while_no_instance_reaches_postgresql(serve, system, tmp_path: Path):
    async with Proxy(port_of(system.urls.postgres_service_url)) as proxy:
        serve.system = through(system, postgres=proxy)
        instances = [await serve(f"instance-{number}", **BRIEFLY) for number in (1, 2)]
        ports = [each.client.base_url.port for each in instances]
        async with run_nginx(tmp_path, ports) as port:
            url = f"http://127.0.0.1:{port}"
            async with httpx.AsyncClient(base_url=url, timeout=40) as client:
                assert await statuses(client, 4) == ({201: 4}, {200: 4})
                proxy.fall_silent()
                assert await statuses(client, 20) == ({503: 20}, {200: 20})
                proxy.forward_again()

                async def takes_commands() -> bool:
                    return await statuses(client, 6) == ({201: 6}, {200: 6})

                await until(takes_commands, "commands are taken again")


@pytest.mark.slow
async def test_commands_go_to_those_who_reach_postgresql(serve, system, tmp_path: Path):
    async with Proxy(port_of(system.urls.postgres_service_url)) as proxy:
        well = [await serve(f"instance-{number}") for number in (1, 2)]
        serve.system = through(system, postgres=proxy)
        sick = await serve("instance-3", **BRIEFLY)
        async with run_nginx(tmp_path, [each.client.base_url.port for each in (sick, *well)]) as port:
            url = f"http://127.0.0.1:{port}"
            async with httpx.AsyncClient(base_url=url, timeout=40) as client:
                assert await statuses(client, 6) == ({201: 6}, {200: 6})
                proxy.fall_silent()

                async def all_are_taken() -> bool:
                    return await statuses(client, 20) == ({201: 20}, {200: 20})

                await until(all_are_taken, "the others take all commands")
                assert (await sick.client.get("/health/ready")).status_code == 503
