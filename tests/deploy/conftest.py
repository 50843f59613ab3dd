"""What the tests of the deployment share: passwords, and compose files as docker-compose reads them."""

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def infra(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of infra/ with passwords of its own."""
    copy = tmp_path_factory.mktemp("checkout") / "infra"
    shutil.copytree(ROOT / "infra", copy, ignore=shutil.ignore_patterns(".env"))
    subprocess.run([copy / "make_env.sh"], check=True, capture_output=True)
    return copy


ReadCompose = Callable[..., dict[str, Any]]


@pytest.fixture(scope="session")
def read_compose(require_program: Callable[[str, str], str], infra: Path) -> ReadCompose:
    """Reads a compose file as docker-compose does, with everything filled in."""
    docker_compose = require_program("docker-compose", "docker-compose")

    def read(*files: Path, profile: str = "") -> dict[str, Any]:
        options = [word for file in files for word in ("-f", file)]
        command = [docker_compose, "--env-file", infra / ".env", "--profile", profile, *options, "config"]
        shown = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
        assert shown.returncode == 0, shown.stderr
        # What is read back would be filled in again, so docker-compose doubles the dollars.
        content: dict[str, Any] = yaml.safe_load(shown.stdout.replace("$$", "$"))
        return content

    return read


@pytest.fixture(scope="session")
def instances_file(read_compose: ReadCompose) -> dict[str, Any]:
    """docker/docker-compose.yml."""
    return read_compose(ROOT / "docker" / "docker-compose.yml")


@pytest.fixture(scope="session")
def databases_file(read_compose: ReadCompose, infra: Path) -> dict[str, Any]:
    """infra/docker-compose.yml with all that is optional."""
    return read_compose(infra / "docker-compose.yml", profile="monitoring")


@pytest.fixture(scope="session")
def environment_file(infra: Path) -> dict[str, str]:
    """The passwords of `infra`."""
    lines = (infra / ".env").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


@pytest.fixture(scope="session")
def mongosh() -> str:
    """MongoDB's shell, which is in MongoDB's image and an npm package here."""
    if path := shutil.which("mongosh"):
        return path
    message = "mongosh is not installed: npm install --global mongosh"
    if os.environ.get("CI") == "true":
        pytest.fail(message)
    pytest.skip(message)
