"""The lab's own programs as child processes, and the errors that they end with."""

import asyncio
import os
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path


@asynccontextmanager
async def child(module: str, *arguments: str, **environment: str) -> AsyncIterator[Process]:
    """Run `python -m module` with pipes. It is killed if it still runs when the block ends."""
    command = (sys.executable, "-m", module, *arguments)
    process = await asyncio.create_subprocess_exec(
        *command, env=os.environ | environment, stdin=PIPE, stdout=PIPE, stderr=PIPE
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


def last_words_in(log: Path) -> str:
    """The error that a log ends with, or else its last line."""
    return last_words(log.read_bytes())


def last_words(said: bytes) -> str:
    """The error that an output ends with, or else its last line."""
    lines = said.decode(errors="replace").strip().splitlines() or ["It said nothing."]
    errors = [line.removeprefix("Error: ") for line in lines if line.startswith("Error: ")]
    return (errors or lines)[-1]
