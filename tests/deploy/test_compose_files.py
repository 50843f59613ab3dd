"""The compose files as docker-compose 1.29 reads them; no container is started."""

import re
import subprocess
from itertools import chain
from pathlib import Path

import msgspec
import pytest

from tandem.config import Settings, load_settings

ROOT = Path(__file__).parents[2]
DOCKER = ROOT / "docker"
LOCAL_PORTS = {
    "postgres": "127.0.0.1:15432:5432",
    "pgadmin": "127.0.0.1:15433:5050",
    "mongodb": "127.0.0.1:27017:27017",
    "mongo-express": "127.0.0.1:18081:8081",
    "prometheus": "127.0.0.1:19090:9090",
    "grafana": "127.0.0.1:13000:3000",
}


def published(compose) -> dict[str, str]:
    ports = {name: service.get("ports", []) for name, service in compose["services"].items()}
    return {name: port.removesuffix("/tcp") for name, listed in ports.items() for port in listed}


def test_the_databases_and_consoles_are_published_on_this_machine_alone(databases_file):
    assert published(databases_file) == LOCAL_PORTS


def test_monitoring_is_only_there_when_asked_for(databases_file):
    with_profile = {name for name, service in databases_file["services"].items() if "profiles" in service}
    assert with_profile == {"prometheus", "grafana"}


def test_the_load_balancer_is_all_that_is_published_of_the_instances(instances_file):
    assert published(instances_file) == {"load-balancer": "127.0.0.1:8080:8080"}


def test_tls_adds_one_port_on_this_machine(read_compose):
    compose = read_compose(DOCKER / "docker-compose.yml", DOCKER / "docker-compose.tls.yml")
    ports = compose["services"]["load-balancer"]["ports"]
    assert {port.removesuffix("/tcp") for port in ports} == {"127.0.0.1:8080:8080", "127.0.0.1:8443:8443"}


def test_every_image_from_elsewhere_has_an_exact_version(databases_file, instances_file):
    images = {
        service["image"]
        for compose in (databases_file, instances_file)
        for service in compose["services"].values()
    }
    images |= set(re.findall(r"^FROM (\S+)", (DOCKER / "Dockerfile").read_text(), re.MULTILINE))
    assert len(images) == 9
    assert {
        image for image in images - {"tandem"} if not re.search(r":v?\d+\.\d+(\.\d+)?(-[\w.-]+)?$", image)
    } == set()


def test_every_service_that_stays_is_asked_whether_it_is_well(databases_file, instances_file):
    services = chain(databases_file["services"].items(), instances_file["services"].items())
    staying = {name: service for name, service in services if "restart" in service}
    assert len(staying) == 10
    unasked = {name for name, service in staying.items() if "healthcheck" not in service}
    assert unasked == {"instance-1", "instance-2", "instance-3"}  # their image has the question in it
    assert "HEALTHCHECK" in (DOCKER / "Dockerfile").read_text()


def test_both_files_share_one_network(databases_file, instances_file):
    assert databases_file["networks"]["default"]["name"] == "tandem"
    assert instances_file["networks"]["default"] == {"external": True, "name": "tandem"}


def test_instances_wait_for_the_migration_and_the_load_balancer_waits_for_them(instances_file):
    services = instances_file["services"]
    instances = ["instance-1", "instance-2", "instance-3"]
    for name in instances:
        assert services[name]["depends_on"] == {"migrate": {"condition": "service_completed_successfully"}}
    awaited = {name: {"condition": "service_healthy"} for name in instances}
    assert services["load-balancer"]["depends_on"] == awaited


def test_the_consoles_wait_for_their_databases(databases_file):
    services = databases_file["services"]
    assert services["pgadmin"]["depends_on"] == {"postgres": {"condition": "service_healthy"}}
    assert services["mongo-express"]["depends_on"] == {
        "mongodb": {"condition": "service_healthy"},
        "mongodb-setup": {"condition": "service_completed_successfully"},
    }


def test_every_instance_has_its_own_name_and_the_rights_of_the_service(instances_file, environment_file):
    services = instances_file["services"]
    settings = [load_settings(services[f"instance-{number}"]["environment"]) for number in (1, 2, 3)]
    assert [each.app_id for each in settings] == ["instance-1", "instance-2", "instance-3"]
    for each in settings:
        assert f"tandem_service:{environment_file['POSTGRES_SERVICE_PASSWORD']}@" in each.postgres_url
        assert f"tandem_service:{environment_file['MONGODB_SERVICE_PASSWORD']}@" in each.mongodb_url
        assert "directConnection=true" in each.mongodb_url


def test_a_container_is_given_more_time_to_stop_than_an_instance_takes(instances_file):
    for number in (1, 2, 3):
        grace = instances_file["services"][f"instance-{number}"]["stop_grace_period"]
        assert grace in {"60s", "1m0s"}
    defaults = {field.name: field.default for field in msgspec.structs.fields(Settings)}
    assert 2 * defaults["drain_seconds"] < 60  # once for requests, once for the flow


def test_our_containers_write_nothing_and_have_no_rights(instances_file):
    for service in instances_file["services"].values():
        assert service["read_only"]
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]


def test_instances_are_scraped_where_they_listen(instances_file):
    config = (ROOT / "infra" / "prometheus" / "prometheus.yml").read_text()
    for name in ("instance-1", "instance-2", "instance-3"):
        assert f"{name}:{instances_file['services'][name]['environment']['PORT']}" in config


@pytest.mark.parametrize("folder", ["infra", "docker"])
def test_without_passwords_nothing_starts_and_the_remedy_is_named(
    require_program, tmp_path, folder, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    docker_compose = require_program("docker-compose", "docker-compose")
    (tmp_path / "docker-compose.yml").write_text((ROOT / folder / "docker-compose.yml").read_text())
    shown = subprocess.run([docker_compose, "config"], capture_output=True, text=True, check=False)
    assert shown.returncode != 0
    remedy = {"infra": "Run ./make_env.sh in infra first", "docker": "Take --env-file ../infra/.env"}
    assert remedy[folder] in shown.stderr


def test_without_docker_the_script_says_so_and_what_to_do(monkeypatch, tmp_path):
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/nobody")
    shown = subprocess.run([DOCKER / "run.sh"], capture_output=True, text=True, check=False)
    assert shown.returncode == 1
    assert shown.stderr.startswith("Docker does not answer. Install and start it")


def test_making_the_passwords_again_keeps_them(infra):
    before = (infra / ".env").read_text()
    subprocess.run([infra / "make_env.sh"], check=True)
    assert (infra / ".env").read_text() == before


def test_every_password_is_new_and_for_its_owner_alone(infra, environment_file):
    assert (infra / ".env").stat().st_mode & 0o777 == 0o600
    secrets = {
        name: value for name, value in environment_file.items() if not name.endswith(("EMAIL", "USER"))
    }
    assert len(set(secrets.values())) == len(secrets) >= 10
    assert {name for name, value in secrets.items() if not re.fullmatch(r"[0-9a-f]{48}", value)} == set()
    example = (ROOT / "infra" / ".env.example").read_text()
    assert re.findall(r"^\w*(?:PASSWORD|KEY|SECRET)=.+$", example, re.MULTILINE) == []
