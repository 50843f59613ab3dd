"""nginx on the template that it has in a container, filled in by envsubst as nginx's image does it."""

import os
import subprocess
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from places import ROOT
from tandem_stack.data_folder import open_data_folder
from tandem_stack.nginx import Nginx
from tandem_stack.ports import accepts_connections, free_port
from tandem_stack.processes import Process

TEMPLATE = ROOT / "src" / "tandem_stack" / "nginx.conf.template"
# What the service in docker-compose.yml sets for the template, and nothing else, is filled in.
WORDS = ("WORKERS", "LISTEN", "INSTANCES", "TRIES", "CLIENT_LIMIT", "CLIENT_RATE", "CLIENT_CONNECTIONS")


def fill_in(envsubst: str, environment: Mapping[str, str]) -> str:
    """The template with the words of a service's environment."""
    shell_format = " ".join(f"${{{word}}}" for word in WORDS)
    done = subprocess.run(
        [envsubst, shell_format],
        input=TEMPLATE.read_text(),
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


@asynccontextmanager
async def load_balancer(place: Path, configuration: str, port: int) -> AsyncIterator[None]:
    """nginx with this configuration, of which `port` is where it listens."""
    folder = open_data_folder(place / f"nginx-{free_port()}")
    config = folder.folder_for_server("nginx") / "nginx.conf"
    config.write_text(configuration)
    folder.hand_over(config)
    process = Process.start(Nginx(folder, port, []).service.program)
    try:
        while not await accepts_connections(port):
            assert process.exit_code is None, folder.log("nginx").read_text()
        yield
    finally:
        await process.kill()
