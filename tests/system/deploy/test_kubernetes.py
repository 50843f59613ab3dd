"""kubernetes/: what kustomize makes of it, against the schemas of Kubernetes and what an instance needs."""

import os
import subprocess
import sys
from pathlib import Path

import manifests
import msgspec
import pytest
import yaml

from kustomized import (
    FOLDER,
    Built,
    Somebody,
    labels,
    may_connect,
    pod,
    references,
    secrets,
    selects,
    settings,
)
from tandem.config import Settings, load_settings
from tandem.config.settings import SECRETS

# The oldest that docs/deploy.md names, and the newest that there are schemas for.
VERSIONS = ("1.30", "1.34", "1.37")
OVERLAYS = ("one-cell", "cells")
# Kinds of operators, for which there are no schemas here.
OF_OPERATORS = ("monitoring.coreos.com", "cnpg.io", "mongodb.com", "cert-manager.io")

INSTANCE = {"app.kubernetes.io/name": "tandem", "app.kubernetes.io/component": "instance"}
MIGRATION = INSTANCE | {"app.kubernetes.io/component": "migration"}
BALANCER = INSTANCE | {"app.kubernetes.io/component": "balancer"}


@pytest.fixture(scope="module", params=OVERLAYS)
def built(request, tmp_path_factory) -> Built:
    return Built.with_components(request.param, "monitoring", place=tmp_path_factory.mktemp("built"))


@pytest.fixture(scope="module")
def databases() -> Built:
    return Built(FOLDER / "databases")


@pytest.fixture(scope="module")
def policies(built, databases) -> list[dict]:
    return [*built.of("NetworkPolicy"), *databases.of("NetworkPolicy")]


def instances(built: Built) -> list[dict]:
    return built.of("Deployment", "instance")


def migrations(built: Built) -> list[dict]:
    return built.of("Job", "migration")


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_an_overlay_is_built_as_it_is(overlay):
    assert Built(FOLDER / "overlays" / overlay).objects


@pytest.mark.parametrize("version", VERSIONS)
def test_every_object_is_valid(built, databases, version, tmp_path):
    objects = [
        each
        for each in (*built.objects, *databases.objects)
        if not each["apiVersion"].partition("/")[0].endswith(OF_OPERATORS)
    ]
    file = tmp_path / "all.yaml"
    file.write_text(yaml.safe_dump_all(objects))
    validate = Path(sys.executable).with_name("kubernetes-validate")
    command = [validate, "--strict", "--kubernetes-version", version, file]
    shown = subprocess.run(command, capture_output=True, text=True, check=False)
    assert shown.returncode == 0, shown.stdout + shown.stderr
    assert shown.stdout.count("passed") == len(objects)


def test_what_one_object_names_is_there(built):
    there = {(each["kind"], each["metadata"]["name"]) for each in built.objects}
    named = set(references(built))
    assert len(named) >= 5
    assert named <= there


def test_what_is_made_elsewhere_is_up_to_date():
    for path, text in manifests.files().items():
        assert (FOLDER / path).read_text() == text, "make manifests"


def test_the_alerts_are_those_of_the_other_prometheus(built):
    (rule,) = built.of("PrometheusRule")
    assert rule["spec"] == yaml.safe_load(manifests.ALERTS.read_text())


def test_haproxy_reads_its_configuration(built, require_program, tmp_path):
    """With `localhost` for names that only a cluster knows."""
    program = require_program("haproxy", "haproxy")
    (deployment,) = built.of("Deployment", "balancer")
    name = pod(deployment)["spec"]["volumes"][0]["configMap"]["name"]
    (config,) = [each for each in built.of("ConfigMap") if each["metadata"]["name"] == name]
    for file, text in config["data"].items():
        (tmp_path / file).write_text(text.replace("/usr/local/etc/haproxy", str(tmp_path)))
    checked = subprocess.run(
        [program, "-c", "-f", tmp_path / "haproxy.cfg"],
        env=os.environ | {"POD_IP": "127.0.0.1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stderr


def test_haproxy_finds_the_instances_of_every_cell_and_has_a_place_for_each(built):
    (config,) = [each["data"]["haproxy.cfg"] for each in built.of("ConfigMap") if "TOKEN" not in str(each)]
    services = built.of("Service", "instance")
    assert len(services) == len(instances(built))
    for service in services:
        assert service["spec"]["clusterIP"] == "None"
        name = f"{service['metadata']['name']}.tandem.svc.cluster.local:8080"
        assert f" {manifests.MOST_INSTANCES} {name}" in config
    for scaler in built.of("HorizontalPodAutoscaler"):
        assert scaler["spec"]["maxReplicas"] <= manifests.MOST_INSTANCES


def test_the_door_is_locked(built, tmp_path):
    for deployment in instances(built):
        found = settings(built, deployment)
        loaded = load_settings(found | {"HOST": "10.0.0.1"} | urls(tmp_path, found))
        assert loaded.token_keys_file
        assert not loaded.allow_unauthenticated
        (keys,) = [each for each in pod(deployment)["spec"]["volumes"] if each["name"] == "keys"]
        assert not keys["configMap"].get("optional")


def urls(place: Path, found: dict[str, str]) -> dict[str, str]:
    """The files of the secret, with the mode that a cluster gives them where there is an `fsGroup`."""
    environ = {}
    for name in ("POSTGRES_URL", "MONGODB_URL"):
        path = place / name
        path.unlink(missing_ok=True)  # of another cell; nobody but root may write over it
        path.write_text("scheme://somewhere")
        path.chmod(0o440)
        environ[f"{name}_FILE"] = str(path)
        assert found[f"{name}_FILE"] == f"/etc/tandem/urls/{name}"
    return environ


def test_what_is_configured_are_settings(built):
    known = {field.encode_name for field in msgspec.structs.fields(Settings)}
    for workload in (*instances(built), *migrations(built)):
        assert set(settings(built, workload)) <= known | {f"{name}_FILE" for name in SECRETS}


def test_an_instance_and_its_migration_are_of_the_same_cell_and_want_a_synchronous_standby(built):
    cells = [settings(built, each)["CELL"] for each in instances(built)]
    assert cells == [str(number) for number in range(len(cells))]
    assert [settings(built, each)["CELL"] for each in migrations(built)] == cells
    assert {settings(built, each)["REQUIRE_SYNCHRONOUS_STANDBY"] for each in instances(built)} == {"true"}


def test_every_cell_knows_all_cells_where_there_are_several(built):
    several = len(instances(built)) > 1
    for deployment in instances(built):
        assert ("CELLS_FILE" in settings(built, deployment)) == several
        if several:
            (container,) = pod(deployment)["spec"]["containers"]
            places = {each["name"]: each["mountPath"] for each in container["volumeMounts"]}
            assert settings(built, deployment)["CELLS_FILE"] == f"{places['cells']}/cells.json"


def test_secrets_are_files_that_nobody_else_can_read(built):
    for workload in (*instances(built), *migrations(built)):
        spec = pod(workload)["spec"]
        assert spec["securityContext"]["fsGroup"] == spec["securityContext"]["runAsGroup"] == 10001
        assert {each["defaultMode"] for each in secrets(workload).values()} == {0o400}
        assert not any("secretRef" in source for source in spec["containers"][0].get("envFrom", []))


def test_only_a_migration_has_the_rights_of_an_owner_and_each_cell_its_own_urls(built):
    one = [set(secrets(each)) for each in instances(built)]
    other = [set(secrets(each)) for each in migrations(built)]
    assert not set.union(*one) & set.union(*other)
    assert all("tandem-service-tls" in each for each in one)
    assert all("tandem-owner-tls" in each for each in other)
    shared = {"tandem-service-tls", "tandem-cells"}
    own = [next(iter(each - shared)) for each in one]
    assert len(set(own)) == len(own)


def test_a_change_of_the_settings_cannot_be_made_without_new_pods(built):
    """The name of each ConfigMap ends with a hash of its content."""
    for each in built.of("ConfigMap"):
        assert each["immutable"] is True
        assert each["metadata"]["name"] not in {"tandem", "tandem-haproxy"}


def test_an_instance_listens_on_the_address_of_its_pod(built):
    for deployment in instances(built):
        environment = {each["name"]: each for each in pod(deployment)["spec"]["containers"][0]["env"]}
        assert environment["HOST"]["valueFrom"]["fieldRef"]["fieldPath"] == "status.podIP"


def test_nobody_connects_but_who_has_to(policies):
    client = Somebody("shop", {}, **{"tandem-client": "true"})
    prometheus = Somebody("monitoring", {}, **{"tandem-metrics": "true"})
    stranger = Somebody("elsewhere", {})
    balancer, instance = Somebody("tandem", BALANCER), Somebody("tandem", INSTANCE)
    migration, other = Somebody("tandem", MIGRATION), Somebody("tandem", {"app": "other"})
    database = Somebody("tandem-databases", {}, **{"tandem-databases": "true"})
    somebodys_database = Somebody("elsewhere", {})

    def open_(one: Somebody, another: Somebody, port: int) -> bool:
        return may_connect(policies, one, another, port)

    assert open_(client, balancer, 8080)
    assert open_(balancer, instance, 8080)
    assert open_(prometheus, instance, 8080)
    for who in (instance, migration):
        assert open_(who, database, 5432)
        assert open_(who, database, 27017)
        assert not open_(who, somebodys_database, 5432)
    assert open_(database, database, 27017)
    for who in (client, prometheus, stranger, other, balancer, migration):
        assert who is prometheus or who is balancer or not open_(who, instance, 8080)
        assert who is client or not open_(who, balancer, 8080)
        assert who is migration or not open_(who, database, 5432)


def test_a_pod_is_given_the_time_that_it_takes_to_end(built):
    for deployment in instances(built):
        drain = float(settings(built, deployment)["DRAIN_SECONDS"])
        spec = pod(deployment)["spec"]
        waiting = spec["containers"][0]["lifecycle"]["preStop"]["sleep"]["seconds"]
        assert spec["terminationGracePeriodSeconds"] > waiting + 2 * drain
    (balancer,) = built.of("Deployment", "balancer")
    waiting = pod(balancer)["spec"]["containers"][0]["lifecycle"]["preStop"]["sleep"]["seconds"]
    assert "hard-stop-after 30s" in manifests.HAPROXY.read_text()
    assert pod(balancer)["spec"]["terminationGracePeriodSeconds"] > waiting + 30


def test_each_probe_asks_its_own_question(built):
    for deployment in instances(built):
        container = pod(deployment)["spec"]["containers"][0]
        paths = {name: container[name]["httpGet"]["path"] for name in container if name.endswith("Probe")}
        assert paths == {
            "startupProbe": "/health/live",
            "livenessProbe": "/health/live",
            "readinessProbe": "/health/read",
        }
    (balancer,) = built.of("Deployment", "balancer")
    container = pod(balancer)["spec"]["containers"][0]
    assert container["startupProbe"]["httpGet"]["path"] == "/health/live"
    assert all("tcpSocket" in container[name] for name in ("readinessProbe", "livenessProbe"))


def test_all_pods_run_as_nobody_with_nothing_to_write_to(built):
    assert len({pod(each)["spec"]["containers"][0]["image"] for each in built.workloads}) == 2
    for workload in built.workloads:
        spec = pod(workload)["spec"]
        container = spec["containers"][0]
        assert spec["securityContext"]["runAsNonRoot"]
        assert spec["securityContext"]["runAsUser"] > 0
        assert spec["automountServiceAccountToken"] is False
        assert container["securityContext"]["readOnlyRootFilesystem"]
        assert container["securityContext"]["allowPrivilegeEscalation"] is False
        assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}


def test_each_selector_finds_the_pods_of_its_own_workload_and_no_others(built):
    """Two cells are told apart by a label; a migration is none of the instances."""
    found = {each["metadata"]["name"]: labels(pod(each)) for each in built.workloads}
    for deployment in built.of("Deployment"):
        assert matching(deployment["spec"]["selector"], found) == [deployment["metadata"]["name"]]
    for budget in built.of("PodDisruptionBudget"):
        assert matching(budget["spec"]["selector"], found) == [budget["metadata"]["name"]]
    for service in built.of("Service"):
        assert len(matching({"matchLabels": service["spec"]["selector"]}, found)) == 1
    (monitor,) = built.of("PodMonitor")
    watched = [each["metadata"]["name"] for each in instances(built)]
    assert matching(monitor["spec"]["selector"], found) == watched


def matching(selector: dict, found: dict[str, dict[str, str]]) -> list[str]:
    return [name for name, labels_ in found.items() if selects(selector, labels_)]


def test_postgres_waits_for_a_standby_and_refuses_a_role_without_its_certificate(databases):
    (cluster,) = databases.of("Cluster")
    synchronous = cluster["spec"]["postgresql"]["synchronous"]
    assert (synchronous["number"], synchronous["dataDurability"]) == (1, "required")
    (role,) = cluster["spec"]["managed"]["roles"]
    assert role["inRoles"] == ["pg_read_all_stats"], "to see its standbys"
    first, second = cluster["spec"]["postgresql"]["pg_hba"]
    assert first.startswith("hostssl ")
    assert first.endswith(" scram-sha-256 clientcert=verify-full")
    assert second.endswith(" reject")


def test_every_secret_of_a_certificate_is_the_one_that_is_asked_for(databases):
    """By the operators, in the namespace of the databases; by the pods, in that of Tandem."""
    made = {
        (each["metadata"]["namespace"], each["spec"]["secretName"]) for each in databases.of("Certificate")
    }
    (cluster,) = databases.of("Cluster")
    (replica_set,) = databases.of("MongoDBCommunity")
    wanted = set(cluster["spec"]["certificates"].values())
    wanted |= {
        replica_set["spec"]["security"]["tls"][name]["name"]
        for name in ("certificateKeySecretRef", "caCertificateSecretRef")
    }
    assert {("tandem-databases", name) for name in wanted} <= made
    assert {("tandem", "tandem-service-tls"), ("tandem", "tandem-owner-tls")} <= made


def test_nothing_is_in_a_namespace_that_is_not_made(built, databases):
    made = {each["metadata"]["name"] for each in (*built.of("Namespace"), *databases.of("Namespace"))}
    used = {each["metadata"].get("namespace") for each in (*built.objects, *databases.objects)}
    # Objects of the whole cluster have none; cert-manager brings its own.
    assert used - {None} == made | {"cert-manager"}
