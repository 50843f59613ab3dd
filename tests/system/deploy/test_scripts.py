"""Linters of the shell scripts and of the Dockerfile."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from places import ROOT

SCRIPTS = [
    path
    for folder in (".", ".ci", "docker", "infra", "infra/mongodb", "scripts")
    for path in sorted((ROOT / folder).iterdir())
    if path.is_file() and path.read_bytes().startswith(b"#!/bin/sh")
]


def lint(program: str, path: Path) -> str:
    """What the linter has to say."""
    command = [Path(sys.executable).with_name(program), path]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout


def test_the_scripts_are_found():
    assert {"run", "run.sh", "make_secrets.sh", "ensure_venv.sh"} <= {path.name for path in SCRIPTS}


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_shellcheck_finds_nothing_and_the_script_can_be_run(path):
    assert lint("shellcheck", path) == ""
    assert path.stat().st_mode & 0o111 == 0o111


def test_hadolint_finds_nothing_in_the_dockerfile():
    assert lint("hadolint", ROOT / "docker" / "Dockerfile") == ""


def test_an_activated_environment_is_brought_up_to_date_by_the_python_that_made_it(new_place):
    """Its own Python has no pip."""
    checkout = new_place()
    (checkout / "scripts").mkdir()
    (checkout / "requirements").mkdir()
    shutil.copy(ROOT / "scripts" / "ensure_venv.sh", checkout / "scripts")
    (checkout / "requirements" / "local.txt").write_text("this is no requirement\n")
    (checkout / "pyproject.toml").touch()
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", checkout / ".venv"], check=True)
    without_ours = [
        each for each in os.environ["PATH"].split(":") if Path(each) != Path(sys.executable).parent
    ]
    activated = os.environ | {"PATH": ":".join([str(checkout / ".venv" / "bin"), *without_ours])}

    said = subprocess.run(
        [checkout / "scripts" / "ensure_venv.sh", "local"],
        env=activated,
        capture_output=True,
        text=True,
        check=False,
    )
    assert said.returncode == 1
    assert "Invalid requirement" in said.stderr, said.stderr
