"""What the tests of the deployment share: secrets, and compose files as docker-compose reads them."""

import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from make_secrets import run_make_secrets
from places import ROOT


@pytest.fixture(scope="session")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folders that compose files are in, as a fresh clone has them."""
    copy = tmp_path_factory.mktemp("checkout")
    for folder in ("docker", "infra"):
        shutil.copytree(ROOT / folder, copy / folder, ignore=shutil.ignore_patterns(".env", "tls"))
    shutil.copy(ROOT / "docker-compose.yml", copy)
    return copy


@pytest.fixture(scope="session")
def secrets(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of secrets, as the container `secrets` makes it."""
    folder = tmp_path_factory.mktemp("volume") / "secrets"
    folder.mkdir()
    made = run_make_secrets(checkout, folder, "make")
    assert made.returncode == 0, made.stderr
    return folder


ReadCompose = Callable[..., dict[str, Any]]


@pytest.fixture(scope="session")
def read_compose(require_program: Callable[[str, str], str], checkout: Path) -> ReadCompose:
    """Reads compose files together as docker-compose does, with everything filled in.

    Debian's is of version 1, which knows neither `name` nor `include`: both are taken out, and whoever reads
    a file names the included ones.
    """
    docker_compose = require_program("docker-compose", "docker-compose")

    def plain(file: Path) -> Path:
        text = re.sub(r"^(name: tandem|include: .*)$", "", (checkout / file).read_text(), flags=re.MULTILINE)
        copy = (checkout / file).with_suffix(".plain.yml")
        copy.write_text(text)
        return copy

    def read(*files: str, profiles: tuple[str, ...] = ()) -> dict[str, Any]:
        options = [word for file in files for word in ("-f", plain(Path(file)))]
        options += [word for profile in profiles for word in ("--profile", profile)]
        command = [docker_compose, *options, "config"]
        shown = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
        assert shown.returncode == 0, shown.stderr
        # What is read back would be filled in again, so docker-compose doubles the dollars.
        content: dict[str, Any] = yaml.safe_load(shown.stdout.replace("$$", "$"))
        return content

    return read


@pytest.fixture(scope="session")
def everything(read_compose: ReadCompose) -> dict[str, Any]:
    """What the compose file at the root starts, with all that is optional."""
    return read_compose(
        "docker/docker-compose.yml", "infra/docker-compose.yml", profiles=("consoles", "monitoring")
    )


@pytest.fixture(scope="session")
def mongosh() -> str:
    """MongoDB's shell, which is in MongoDB's image and an npm package here."""
    if path := shutil.which("mongosh"):
        return path
    message = "mongosh is not installed: npm install --global mongosh"
    if os.environ.get("CI") == "true":
        pytest.fail(message)
    pytest.skip(message)
