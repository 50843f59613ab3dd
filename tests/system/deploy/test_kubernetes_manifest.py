"""The manifest against the schemas of Kubernetes, and against what an instance needs."""

import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
import yaml

from places import ROOT
from tandem.config import Settings, load_settings
from tandem.config.settings import SECRETS

# The oldest that docs/deploy.md names, and the newest that there are schemas for.
VERSIONS = ("1.30", "1.34", "1.37")

FOLDER = ROOT / "kubernetes"
FILES = {
    name: list(yaml.safe_load_all((FOLDER / name).read_text())) for name in ("migration.yaml", "tandem.yaml")
}
OBJECTS = {document["kind"]: document for documents in FILES.values() for document in documents}
INSTANCE = OBJECTS["Deployment"]["spec"]["template"]["spec"]
MIGRATION = OBJECTS["Job"]["spec"]["template"]["spec"]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("file", FILES)
def test_the_manifest_is_valid(file, version):
    validate = Path(sys.executable).with_name("kubernetes-validate")
    command = [validate, "--strict", "--kubernetes-version", version, FOLDER / file]
    shown = subprocess.run(command, capture_output=True, text=True, check=False)
    assert shown.returncode == 0, shown.stdout + shown.stderr
    assert shown.stdout.count("passed") == len(FILES[file])


def test_what_the_instances_need_comes_with_the_migration_before_them():
    assert [document["kind"] for document in FILES["migration.yaml"]] == [
        "Namespace",
        "ServiceAccount",
        "Job",
    ]
    assert {document["metadata"]["namespace"] for document in FILES["tandem.yaml"]} == {"tandem"}
    assert MIGRATION["containers"][0]["args"][0] == "migrate"


def test_the_door_is_locked(tmp_path):
    settings = load_settings(config() | {"HOST": "10.0.0.1"} | urls(tmp_path))
    assert settings.token_keys_file
    assert not settings.allow_unauthenticated
    (keys,) = [volume for volume in INSTANCE["volumes"] if volume["name"] == "keys"]
    assert not keys["configMap"].get("optional")


def config() -> dict[str, str]:
    return OBJECTS["ConfigMap"]["data"]


def urls(place: Path) -> dict[str, str]:
    """The files of the secret, with the mode that a cluster gives them where there is an `fsGroup`."""
    environ = {}
    for name in ("POSTGRES_URL", "MONGODB_URL"):
        path = place / name
        path.write_text("scheme://somewhere")
        path.chmod(0o440)
        environ[f"{name}_FILE"] = str(path)
        assert config()[f"{name}_FILE"] == f"/etc/tandem/urls/{name}"
    return environ


def test_secrets_are_files_that_nobody_else_can_read():
    for spec in (INSTANCE, MIGRATION):
        assert spec["securityContext"]["fsGroup"] == spec["securityContext"]["runAsGroup"] == 10001
        (volume,) = [volume for volume in spec["volumes"] if "secret" in volume]
        assert volume["secret"]["defaultMode"] == 0o400
        assert not any("secretRef" in source for source in spec["containers"][0].get("envFrom", []))


def test_a_change_of_the_settings_cannot_be_made_without_new_pods():
    assert OBJECTS["ConfigMap"]["immutable"] is True
    (source,) = INSTANCE["containers"][0]["envFrom"]
    assert source == {"configMapRef": {"name": OBJECTS["ConfigMap"]["metadata"]["name"]}}


def test_an_instance_listens_on_the_address_of_its_pod():
    environment = {each["name"]: each for each in INSTANCE["containers"][0]["env"]}
    assert environment["HOST"]["valueFrom"]["fieldRef"]["fieldPath"] == "status.podIP"


def test_no_pod_is_reached_but_by_whom_it_is_for():
    policy = OBJECTS["NetworkPolicy"]["spec"]
    assert policy["podSelector"] == {}
    assert policy["policyTypes"] == ["Ingress", "Egress"]
    (ingress,) = policy["ingress"]
    assert [port["port"] for port in ingress["ports"]] == [
        INSTANCE["containers"][0]["ports"][0]["containerPort"]
    ]
    assert all("namespaceSelector" in source for source in ingress["from"])
    assert {port["port"] for port in policy["egress"][0]["ports"]} >= {53, 5432, 27017}


def test_a_pod_is_given_the_time_that_an_instance_takes_to_end():
    drain = float(config()["DRAIN_SECONDS"])
    waiting = INSTANCE["containers"][0]["lifecycle"]["preStop"]["sleep"]["seconds"]
    assert INSTANCE["terminationGracePeriodSeconds"] > waiting + 2 * drain


def test_each_probe_asks_its_own_question():
    container = INSTANCE["containers"][0]
    paths = {name: container[name]["httpGet"]["path"] for name in container if name.endswith("Probe")}
    assert paths == {
        "startupProbe": "/health/live",
        "livenessProbe": "/health/live",
        "readinessProbe": "/health/read",
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
        return {volume["secret"]["secretName"] for volume in spec["volumes"] if "secret" in volume}

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
    assert set(config()) <= known | {f"{name}_FILE" for name in SECRETS}
