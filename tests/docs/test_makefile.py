"""The Makefile's targets say what they do, and can be made."""

import re
import subprocess

import pytest

from places import ROOT

MAKEFILE = (ROOT / "Makefile").read_text()
TARGETS = re.findall(r"^([a-z-]+):", MAKEFILE, re.MULTILINE)


@pytest.fixture
def make(require_program):
    """Runs make in the checkout."""
    program = require_program("make", "make")

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [program, *arguments]
        return subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True, timeout=60)

    return run


def test_help_lists_every_target(make):
    shown = make().stdout
    assert [target for target in TARGETS if not re.search(rf"^  {target} +\w", shown, re.MULTILINE)] == []


@pytest.mark.parametrize("target", TARGETS)
def test_every_target_expands(make, target):
    answer = make("--dry-run", "--warn-undefined-variables", target)
    assert answer.returncode == 0, answer.stderr
    assert [line for line in answer.stderr.splitlines() if "ARGS" not in line] == []


def test_without_a_stack_the_floor_says_how_to_start_one(make, tmp_path):
    answer = make("--old-file=dev", "bench-floor", f"DATA_DIR={tmp_path / 'none'}")
    assert answer.returncode != 0
    assert "make up" in answer.stdout
