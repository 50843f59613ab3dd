"""The compose files by their schema, and as docker-compose 1.29 reads them; no container is started."""

import re
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
import yaml

from make_secrets import run_make_secrets
from places import ROOT
from tandem.config import Settings, load_settings
from tandem_stack.postgres import SETTINGS

DOCKER = ROOT / "docker"
FILES = [
    "docker-compose.yml",
    "docker/docker-compose.yml",
    "docker/docker-compose.tls.yml",
    "infra/docker-compose.yml",
]
PUBLISHED = {
    "postgres": "127.0.0.1:15432:5432",
    "pgadmin": "127.0.0.1:15433:5050",
    "mongodb": "127.0.0.1:27017:27017",
    "mongo-express": "127.0.0.1:18081:8081",
    "prometheus": "127.0.0.1:19090:9090",
    "grafana": "127.0.0.1:13000:3000",
    "load-balancer": "127.0.0.1:8080:8080",
}
INSTANCES = ["instance-1", "instance-2", "instance-3"]
ONE_SHOT = {"secrets", "mongodb-setup", "migrate"}
OPTIONAL = {
    "pgadmin": "consoles",
    "mongo-express": "consoles",
    "prometheus": "monitoring",
    "grafana": "monitoring",
}
SECRETS = "/run/tandem/secrets"


@pytest.mark.parametrize("file", FILES)
def test_the_file_is_valid_by_the_schema_of_compose(file):
    check = Path(sys.executable).with_name("check-jsonschema")
    command = [check, "--builtin-schema", "vendor.compose-spec", ROOT / file]
    shown = subprocess.run(command, capture_output=True, text=True, check=False)
    assert shown.returncode == 0, shown.stdout


def test_one_command_at_the_root_starts_all_of_it():
    files = {file: yaml.safe_load((ROOT / file).read_text()) for file in FILES}
    assert files["docker-compose.yml"] == {"name": "tandem", "include": ["docker/docker-compose.yml"]}
    assert files["docker/docker-compose.yml"]["include"] == ["../infra/docker-compose.yml"]
    # Wherever it is started, it is the same project, so that nothing is started twice.
    assert {files[file]["name"] for file in FILES if "tls" not in file} == {"tandem"}


def test_nothing_has_to_be_set_or_made_before_the_first_start(everything):
    for name in FILES:
        assert "?" not in "".join(re.findall(r"(?<!\$)\$\{[^}]*\}", (ROOT / name).read_text()))
    assert {network.get("external") for network in everything["networks"].values()} == {None}
    assert {volume.get("external") for volume in everything["volumes"].values()} == {None}


def test_postgresql_has_the_settings_of_the_local_stack(everything):
    program, *options = everything["services"]["postgres"]["command"]
    assert program == "postgres"
    given = dict(option.removeprefix("-c").split("=", 1) for option in options)
    # Where it listens is up to its image.
    wanted = SETTINGS.keys() - {"listen_addresses", "unix_socket_directories"}
    assert given == {name: SETTINGS[name] for name in wanted}


def test_everything_is_published_on_this_machine_alone(everything):
    ports = {name: service.get("ports", []) for name, service in everything["services"].items()}
    published = {name: port.removesuffix("/tcp") for name, listed in ports.items() for port in listed}
    assert published == PUBLISHED


def test_consoles_and_monitoring_are_only_there_when_asked_for(everything):
    profiles = {name: service.get("profiles") for name, service in everything["services"].items()}
    assert {name: of for name, of in profiles.items() if of} == {
        name: [profile] for name, profile in OPTIONAL.items()
    }


def test_tls_adds_one_port_on_this_machine(read_compose):
    compose = read_compose(
        "docker/docker-compose.yml", "docker/docker-compose.tls.yml", "infra/docker-compose.yml"
    )
    ports = compose["services"]["load-balancer"]["ports"]
    assert {port.removesuffix("/tcp") for port in ports} == {"127.0.0.1:8080:8080", "127.0.0.1:8443:8443"}


def test_every_image_from_elsewhere_has_an_exact_version(everything):
    images = {service["image"] for service in everything["services"].values()}
    images |= set(re.findall(r"^FROM (\S+)", (DOCKER / "Dockerfile").read_text(), re.MULTILINE))
    assert len(images) == 9
    assert {
        image for image in images - {"tandem"} if not re.search(r":v?\d+\.\d+(\.\d+)?(-[\w.-]+)?$", image)
    } == set()


def test_every_service_that_stays_is_asked_whether_it_is_well(everything):
    staying = {name: service for name, service in everything["services"].items() if "restart" in service}
    assert set(everything["services"]) - set(staying) == ONE_SHOT
    unasked = {name for name, service in staying.items() if "healthcheck" not in service}
    assert unasked == set(INSTANCES)  # their image has the question in it
    assert "HEALTHCHECK" in (DOCKER / "Dockerfile").read_text()


def test_no_container_may_take_all_memory_or_processes(everything):
    for name, service in everything["services"].items():
        assert service["mem_limit"], name
        assert service["pids_limit"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name


def test_what_is_mounted_from_the_checkout_is_labelled_and_read_only(everything):
    mounts = [
        mount for service in everything["services"].values() for mount in service.get("volumes", [])
        if mount.startswith("/")
    ]  # fmt: skip
    assert len(mounts) == 9
    assert {mount.rpartition(":")[2] for mount in mounts} == {"ro,z"}


def test_each_waits_for_what_it_needs(everything):
    waits = {
        name: {needed: condition["condition"].removeprefix("service_") for needed, condition in of.items()}
        for name, service in everything["services"].items()
        if (of := service.get("depends_on"))
    }
    done, well, started = "completed_successfully", "healthy", "started"
    assert waits == {
        "postgres": {"secrets": done},
        "mongodb": {"secrets": done},
        "mongodb-setup": {"secrets": done, "mongodb": started},
        "migrate": {"postgres": well, "mongodb": well, "mongodb-setup": done},
        **{name: {"migrate": done} for name in INSTANCES},
        "load-balancer": dict.fromkeys(INSTANCES, well),
        "pgadmin": {"postgres": well},
        "mongo-express": {"mongodb": well, "mongodb-setup": done},
        "grafana": {"prometheus": well, "secrets": done},
    }


def with_secrets(environment: dict[str, str], secrets: Path) -> dict[str, str]:
    return {name: value.replace(SECRETS, str(secrets)) for name, value in environment.items()}


def test_every_instance_has_its_own_name_and_the_rights_of_the_service(everything, secrets):
    services = everything["services"]
    settings = [load_settings(with_secrets(services[name]["environment"], secrets)) for name in INSTANCES]
    assert [each.app_id for each in settings] == INSTANCES
    for each in settings:
        assert f"tandem_service:{(secrets / 'postgres_service_password').read_text()}@" in each.postgres_url
        assert f"tandem_service:{(secrets / 'mongodb_service_password').read_text()}@" in each.mongodb_url
        assert "directConnection=true" in each.mongodb_url
    owner = load_settings(with_secrets(services["migrate"]["environment"], secrets))
    assert f"tandem_owner:{(secrets / 'postgres_owner_password').read_text()}@" in owner.postgres_url
    assert f"tandem_owner:{(secrets / 'mongodb_owner_password').read_text()}@" in owner.mongodb_url


def test_no_secret_stands_in_an_environment_or_a_command(everything, secrets):
    text = yaml.safe_dump(everything)
    assert [path.name for path in secrets.iterdir() if path.read_text() in text] == []
    # What is named is there.
    named = set(re.findall(rf"{SECRETS}/(\w+)", text))
    assert len(named) == 10
    assert {name for name in named if not (secrets / name).exists()} == {"mongo_express_"}


def test_a_container_is_given_more_time_to_stop_than_an_instance_takes(everything):
    for name in INSTANCES:
        assert everything["services"][name]["stop_grace_period"] in {"60s", "1m0s"}
    defaults = {field.name: field.default for field in msgspec.structs.fields(Settings)}
    assert 2 * defaults["drain_seconds"] < 60  # once for requests, once for the flow


def test_our_containers_write_nothing_and_have_no_rights(everything):
    for name in ("migrate", *INSTANCES, "load-balancer"):
        service = everything["services"][name]
        assert service["read_only"]
        assert service["cap_drop"] == ["ALL"]


def test_instances_are_scraped_where_they_listen(everything):
    config = (ROOT / "infra" / "prometheus" / "prometheus.yml").read_text()
    for name in INSTANCES:
        assert f"{name}:{everything['services'][name]['environment']['PORT']}" in config


def test_without_docker_the_script_says_so_and_what_to_do(monkeypatch, tmp_path):
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/nobody")
    shown = subprocess.run([DOCKER / "run.sh"], capture_output=True, text=True, check=False)
    assert shown.returncode == 1
    assert shown.stderr.startswith("Docker does not answer. Install and start it")


def test_making_the_secrets_again_keeps_them_and_adds_what_is_missing(checkout, secrets):
    before = {path.name: path.read_text() for path in secrets.iterdir()}
    (secrets / "grafana_password").unlink()
    (secrets / ".half_made").write_text("cut off")
    assert run_make_secrets(checkout, secrets, "make").returncode == 0
    (secrets / ".half_made").unlink()
    after = {path.name: path.read_text() for path in secrets.iterdir()}
    changed = {name for name in before if before[name] != after[name]}
    assert changed == {"grafana_password"}


def test_every_secret_is_new_and_for_its_reader_alone(checkout, secrets, tmp_path):
    again = tmp_path / "volume" / "secrets"
    again.mkdir(parents=True)
    assert run_make_secrets(checkout, again, "make", umask=0).returncode == 0
    made = {path.name: path for path in again.iterdir()}
    assert set(made) == {path.name for path in secrets.iterdir()}
    assert len(made) == 17
    for name, path in made.items():
        assert path.stat().st_mode & 0o777 == 0o400, name
        assert path.read_text() != (secrets / name).read_text(), name
        if "url" not in name:
            assert re.fullmatch(r"[0-9a-f]{48}", path.read_text()), name


def test_a_password_can_be_asked_for(checkout, secrets):
    shown = run_make_secrets(checkout, secrets, "show", "pgadmin_password")
    assert shown.stdout == (secrets / "pgadmin_password").read_text() + "\n"
    wrong = run_make_secrets(checkout, secrets, "show", "nonsense")
    assert wrong.returncode == 1
    assert "pgadmin_password" in wrong.stderr


def test_a_checkout_that_containers_cannot_read_is_found_before_anything_starts(checkout, tmp_path):
    folder = tmp_path / "volume" / "secrets"
    folder.mkdir(parents=True)
    script = checkout / "infra" / "postgres" / "roles.sql"
    script.chmod(0o600)
    try:
        made = run_make_secrets(checkout, folder, "make")
    finally:
        script.chmod(0o644)
    assert made.returncode == 1
    assert f"{script} cannot be read" in made.stderr
    assert "chmod -R go+rX infra src" in made.stderr
    assert list(folder.iterdir()) == []
