"""The command line, run to its end."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path

TANDEM = (sys.executable, "-m", "tandem")
LONGEST_SECONDS = 60


def finished(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run it, and return what it printed to its output and to its errors."""
    command = [*TANDEM, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=LONGEST_SECONDS, check=False)


async def run_tandem(*arguments: str, **environment: str) -> tuple[int, str]:
    """Run it beside what this event loop does: its exit code, and all that it printed."""
    process = await asyncio.create_subprocess_exec(
        *TANDEM,
        *arguments,
        env=os.environ | environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, output.decode()
