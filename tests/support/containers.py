"""Programs run as containers would run them, as far as that goes without an engine."""

import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from places import ROOT
from waiting import eventually

DOCKERFILE = (ROOT / "docker" / "Dockerfile").read_text()
# Debian's own Python: that of a developer may lie where another account cannot reach it.
PYTHON = Path("/usr/bin/python3")
# A mount namespace in which nothing can be written, an account that is nobody's, no rights and no way to any.
SANDBOX = [
    "unshare",
    "--mount",
    "sh",
    "-c",
    'mount -o remount,bind,ro / && cd "$0" && exec "$@"',
]
NOBODY = [
    "setpriv",
    "--reuid=10001",
    "--regid=10001",
    "--clear-groups",
    "--no-new-privs",
    "--bounding-set=-all",
]


@dataclass(frozen=True)
class Image:
    """What the Dockerfile makes, in a folder; `folder` is the image's /opt/tandem."""

    folder: Path

    @property
    def environment(self) -> dict[str, str]:
        """The environment that the Dockerfile sets."""
        line = re.findall(r"^ENV (PATH=.+)$", DOCKERFILE, re.MULTILINE)[-1]
        pairs = dict(pair.split("=", 1) for pair in line.split())
        return pairs | {"PATH": self._here(pairs["PATH"].replace("$PATH", "/usr/bin:/bin"))}

    @property
    def entrypoint(self) -> list[str]:
        """What every container of it starts."""
        return [str(self.folder / "bin" / word) for word in _json_after("ENTRYPOINT")]

    @property
    def health_check(self) -> list[str]:
        """What Docker runs to see whether it is well."""
        return [self._here(word) for word in _json_after("HEALTHCHECK .*CMD")]

    def start(self, command: list[str], environment: dict[str, str], log: Path) -> subprocess.Popen[bytes]:
        """Start a command in a sandbox, with nothing of our own environment."""
        with log.open("ab") as output:
            return subprocess.Popen(
                [*SANDBOX, self.folder, *NOBODY, *command],
                env=self.environment | environment,
                stdout=output,
                stderr=output,
            )

    def _here(self, text: str) -> str:
        return text.replace("/opt/tandem", str(self.folder))


def build_image(place: Path) -> Image:
    """Do in `place` what the Dockerfile does: the pinned packages and a wheel of the checkout, together."""
    environment = place / "opt" / "tandem"
    _run(PYTHON, "-m", "venv", "--without-pip", environment)
    install = ["uv", "pip", "install", "--quiet", "--python", environment / "bin" / "python"]
    _run(*install, "--require-hashes", "--requirement", ROOT / "requirements" / "base.txt")
    _run("uv", "build", "--quiet", "--wheel", "--no-build-isolation", "--python", sys.executable,
         "--out-dir", place / "dist", ROOT)  # fmt: skip
    _run(*install, "--no-deps", *(place / "dist").glob("*.whl"))
    (environment / "health.py").write_bytes((ROOT / "docker" / "health.py").read_bytes())
    return Image(environment)


def until_healthy(image: Image, environment: dict[str, str], log: Path) -> None:
    """Wait until the image's health check succeeds."""

    def is_healthy() -> bool:
        return image.start(image.health_check, environment, log).wait() == 0

    eventually(is_healthy, f"healthy; {log} says why not")


requires_sandbox = pytest.mark.skipif(
    os.geteuid() != 0
    or subprocess.run([*SANDBOX, "/", "true"], check=False, capture_output=True).returncode != 0,
    reason="only root can make a mount namespace, and not everywhere",
)


def _json_after(instruction: str) -> list[str]:
    words: list[str] = json.loads(re.findall(rf"^{instruction} (\[.*\])$", DOCKERFILE, re.MULTILINE)[-1])
    return words


def _run(*command: str | Path) -> None:
    search = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        command, env=os.environ | {"PATH": search}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
