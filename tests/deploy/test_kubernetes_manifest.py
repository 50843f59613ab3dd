"""The manifest against the schemas of Kubernetes, and against what an instance needs."""

import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
import yaml

from tandem.config import Settings

MANIFEST = Path(__file__).parents[2] / "kubernetes" / "tandem.yaml"
OBJECTS = {document["kind"]: document for document in yaml.safe_load_all(MANIFEST.read_text())}
INSTANCE = OBJECTS["Deployment"]["spec"]["template"]["spec"]
MIGRATION = OBJECTS["Job"]["spec"]["template"]["spec"]


@pytest.mark.parametrize("version", ["1.34", "1.37"])
def test_the_manifest_is_valid(version):
    validate = Path(sys.executable).with_name("kubernetes-validate")
    command = [validate, "--strict", "--kubernetes-version", version, MANIFEST]
    shown = subprocess.run(command, capture_output=True, text=True, check=False)
    assert shown.returncode == 0, shown.stdout + shown.stderr
    assert shown.stdout.count("passed") == len(OBJECTS) == 8


def test_a_pod_is_given_the_time_that_an_instance_takes_to_end():
    drain = float(OBJECTS["ConfigMap"]["data"]["DRAIN_SECONDS"])
    waiting = INSTANCE["containers"][0]["lifecycle"]["preStop"]["sleep"]["seconds"]
    assert INSTANCE["terminationGracePeriodSeconds"] > waiting + 2 * drain


def test_each_probe_asks_its_own_question():
    container = INSTANCE["containers"][0]
    paths = {name: container[name]["httpGet"]["path"] for name in container if name.endswith("Probe")}
    assert paths == {
        "startupProbe": "/health/live",
        "livenessProbe": "/health/live",
        "readinessProbe": "/health/ready",
    }


def test_both_workloads_run_the_same_image_as_nobody_with_nothing_to_write_to():
    containers = [spec["containers"][0] for spec in (INSTANCE, MIGRATION)]
    assert len({container["image"] for container in containers}) == 1
    for spec, container in zip((INSTANCE, MIGRATION), containers, strict=True):
        assert spec["securityContext"]["runAsUser"] == 10001
        assert spec["automountServiceAccountToken"] is False
        assert container["securityContext"]["readOnlyRootFilesystem"]
        assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}


def test_only_the_migration_has_the_rights_of_the_owner():
    def secrets(spec: dict) -> set[str]:
        sources = spec["containers"][0]["envFrom"]
        return {source["secretRef"]["name"] for source in sources if "secretRef" in source}

    assert secrets(INSTANCE) == {"tandem-service"}
    assert secrets(MIGRATION) == {"tandem-owner"}


def test_services_and_budget_select_the_instances_and_not_the_migration():
    instances = OBJECTS["Deployment"]["spec"]["template"]["metadata"]["labels"]
    migration = OBJECTS["Job"]["spec"]["template"]["metadata"]["labels"]
    for selector in (
        OBJECTS["Service"]["spec"]["selector"],
        OBJECTS["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"],
        OBJECTS["Deployment"]["spec"]["selector"]["matchLabels"],
    ):
        assert selector.items() <= instances.items()
        assert not selector.items() <= migration.items()


def test_what_is_configured_are_settings():
    known = {field.encode_name for field in msgspec.structs.fields(Settings)}
    assert set(OBJECTS["ConfigMap"]["data"]) <= known
