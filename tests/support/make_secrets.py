"""The script that makes the secrets, run as its container runs it."""

import os
import subprocess
from pathlib import Path


def run_make_secrets(
    checkout: Path, folder: Path, *words: str, umask: int = 0o022
) -> subprocess.CompletedProcess[str]:
    """What the container `secrets` does, with its secrets in `folder`. Only root can give files away."""
    tools = folder.parent / "tools"
    tools.mkdir(exist_ok=True)
    if os.geteuid() != 0:
        (tools / "chown").write_text("#!/bin/sh\n")
        (tools / "chown").chmod(0o755)
    return subprocess.run(
        ["sh", checkout / "infra" / "make_secrets.sh", *words],
        env={"PATH": f"{tools}:{os.environ['PATH']}", "SECRETS": str(folder)},
        capture_output=True,
        text=True,
        check=False,
        umask=umask,
    )
