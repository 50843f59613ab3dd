"""The files for GitHub by their schemas, and the scripts in them; none of them can run here."""

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from places import ROOT

GITHUB = ROOT / ".github"
WORKFLOWS = sorted((GITHUB / "workflows").iterdir())


def steps(workflow: Path) -> list[dict]:
    jobs = yaml.safe_load(workflow.read_text())["jobs"]
    return [step for job in jobs.values() for step in job["steps"]]


@pytest.mark.parametrize(
    ("schema", "file"),
    [("github-workflows", file) for file in WORKFLOWS] + [("dependabot", GITHUB / "dependabot.yml")],
    ids=lambda value: getattr(value, "name", value),
)
def test_the_file_is_valid_by_its_schema(schema, file):
    check = Path(sys.executable).with_name("check-jsonschema")
    command = [check, "--builtin-schema", f"vendor.{schema}", file]
    shown = subprocess.run(command, capture_output=True, text=True, check=False)
    assert shown.returncode == 0, shown.stdout


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.name)
def test_shellcheck_finds_nothing_in_the_scripts(workflow):
    scripts = [step["run"] for step in steps(workflow) if "run" in step]
    assert scripts
    for script in scripts:
        shellcheck = [Path(sys.executable).with_name("shellcheck"), "--shell=bash", "-"]
        text = script.replace("${{ matrix.up }}", "./run.sh")
        shown = subprocess.run(shellcheck, input=text, capture_output=True, text=True, check=False)
        assert shown.stdout == ""


def test_each_workflow_may_only_read_unless_a_job_says_more():
    for workflow in WORKFLOWS:
        assert yaml.safe_load(workflow.read_text())["permissions"] == {"contents": "read"}


def test_what_is_published_is_what_was_built_signed_by_its_digest():
    (build,) = [step for step in steps(GITHUB / "workflows" / "release.yml") if step.get("id") == "build"]
    assert build["with"]["sbom"] is True
    assert build["with"]["provenance"] == "mode=max"
    *_, sign = steps(GITHUB / "workflows" / "release.yml")
    assert sign["run"].startswith("cosign sign")
    assert "steps.build.outputs.digest" in sign["env"]["IMAGE"]
