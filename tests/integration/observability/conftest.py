"""What the tests of alerts and dashboard share: a real scrape, and promtool."""

import asyncio
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from orders import ORDERS
from prometheus_client.parser import text_string_to_metric_families

from installed import installed_orders
from servers import Servers
from systems import ServedInstance, Servings, open_system
from waiting import until

Promtool = Callable[..., str]


@pytest.fixture(scope="session")
def promtool(require_program: Callable[[str, str], str]) -> Promtool:
    """Runs promtool, which must find nothing to say against its input; what it printed."""
    program = require_program("promtool", "prometheus")

    def run(*arguments: str | Path, given: str | None = None) -> str:
        command = [program, *arguments]
        ended = subprocess.run(command, input=given, capture_output=True, text=True, check=False, timeout=60)
        assert ended.returncode == 0, ended.stdout + ended.stderr
        return ended.stdout + ended.stderr

    return run


async def send_what_is_against_http(served: ServedInstance) -> None:
    """A request that is refused before it is read whole."""
    url = served.client.base_url
    reader, writer = await asyncio.open_connection(url.host, url.port)
    writer.write(b"GET / HTTP/1.1\r\n\r\n")  # which host it means, it does not say
    assert await reader.read()
    writer.close()
    await writer.wait_closed()


@pytest.fixture(scope="module")
async def scrape(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> str:
    """What an instance with an aggregate tells Prometheus, after having answered and refused something."""
    folder = tmp_path_factory.mktemp("scraped")
    async with servers.lend_databases() as lent, open_system(lent, [ORDERS]) as system:
        servings = Servings(system, folder)
        served = await servings("scraped", **installed_orders(folder))
        await send_what_is_against_http(served)

        async def has_verified() -> bool:
            return "tandem_verification_age_seconds" in (await served.client.get("/metrics")).text

        await until(has_verified, "the first round of verification is told")
        answer = await served.client.get("/metrics")
        await servings.close()
    assert answer.headers["content-type"].startswith("text/plain")
    return answer.text


Series = list[tuple[str, dict[str, str]]]


@pytest.fixture
def series(scrape: str) -> Series:
    """Name and labels of everything in a scrape, with what Prometheus adds to it."""
    added = {"job": "tandem", "instance": "one:3101"}
    families = text_string_to_metric_families(scrape)
    scraped = [(sample.name, sample.labels | added) for family in families for sample in family.samples]
    return [*scraped, ("up", added)]
