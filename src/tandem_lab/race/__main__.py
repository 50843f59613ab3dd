"""Carries out a race: `python -m tandem_lab.race DATA_DIR`.

A line of JSON on the standard input is its plan; when the input ends, the race is stopped. Each line of the
output is how it stands.
"""

import asyncio
import os
import sys
from contextlib import suppress
from pathlib import Path

import msgspec
import uvloop

from tandem_lab.race.race import race
from tandem_lab.race.results import Plan, Race


async def main() -> None:
    """See the module."""
    lines = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    plan, stop = msgspec.json.decode(await lines.readline(), type=Plan), asyncio.Event()

    async def wait_for_the_end() -> None:
        await lines.read()
        stop.set()

    waiting = asyncio.create_task(wait_for_the_end())
    await race(plan, Path(sys.argv[1]), _tell, stop)
    waiting.cancel()


def _tell(state: Race) -> None:
    with suppress(BrokenPipeError):  # nobody listens any more: there is still to be cleared up
        os.write(sys.stdout.fileno(), msgspec.json.encode(state) + b"\n")


if __name__ == "__main__":
    uvloop.run(main())
