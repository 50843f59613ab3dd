"""HAProxy with a configuration of ours, in front of servers of a test."""

import asyncio
import subprocess
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from string import Template

from places import ROOT
from tandem_stack.ports import free_port
from upstreams import Behaviour, answer_ok, ask
from waiting import until

TEMPLATE = ROOT / "src" / "tandem_stack" / "haproxy.cfg.template"

HEALTH = "GET /health/read HTTP/1.1\r\nHost: test\r\n\r\n"
ENOUGH = {"CLIENT_RATE": 100_000, "CLIENT_CONNECTIONS": 1_000}


def plain_configuration(listen: str, ports: Sequence[int], **changes: int) -> str:
    """The template, for a system without cells."""
    lines = (f"server instance-{port} 127.0.0.1:{port}" for port in ports)
    words = {"LISTEN": listen, "INSTANCES": "\n    ".join(lines)} | ENOUGH | changes
    return Template(TEMPLATE.read_text()).substitute(words)


@dataclass(frozen=True)
class Running:
    """An HAProxy that runs: its port, its files, and its first process."""

    port: int
    config: Path
    log: Path
    process: subprocess.Popen[bytes]


@asynccontextmanager
async def run_haproxy(
    program: str, place: Path, configuration: Callable[[str], str], *options: str
) -> AsyncIterator[Running]:
    """HAProxy, once it has found somebody well; `configuration` is given the address to listen at."""
    port = free_port()
    config, log = place / f"haproxy-{port}.cfg", place / f"haproxy-{port}.log"
    config.write_text(configuration(f"127.0.0.1:{port}"))
    process = _start([program, *options, "-f", config], log)
    try:

        async def answers() -> bool:
            assert process.poll() is None, log.read_text()
            try:
                return (await ask(port, HEALTH))[0] == 200
            except OSError:
                return False

        await until(answers, "HAProxy answers")
        yield Running(port, config, log, process)
    finally:
        # With -W, the processes that it has started end with it.
        process.terminate() if options else process.kill()
        process.wait()


def _start(command: Sequence[str | Path], log: Path) -> subprocess.Popen[bytes]:
    with log.open("wb") as output:
        return subprocess.Popen(command, stdout=output, stderr=output)


def but_well(behaviour: Behaviour) -> Behaviour:
    """Behaves like this for whoever does not ask how it is."""

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        upstream = behave.upstream  # type: ignore[attr-defined]
        await (answer_ok if b" /health/" in upstream.requests[-1] else behaviour)(reader, writer)

    return behave
