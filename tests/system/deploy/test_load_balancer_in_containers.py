"""What the load balancer does in containers alone: its template is filled in otherwise there."""

import asyncio
import json
import ssl
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from balancers import WORDS, fill_in, load_balancer
from name_server import name_server
from tandem_stack.nginx import server_lines
from tandem_stack.ports import free_port
from waiting import until


@pytest.fixture(scope="module")
def place(new_place) -> Path:
    return new_place()


@pytest.fixture(scope="module")
def envsubst(require_program) -> str:
    return require_program("envsubst", "gettext-base")


@asynccontextmanager
async def instance(address: str, port: int) -> AsyncIterator[None]:
    """A server that answers every request with its own address."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await reader.readuntil(b"\r\n\r\n"):
                writer.write(f"HTTP/1.1 200 OK\r\nContent-Length: {len(address)}\r\n\r\n{address}".encode())
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(answer, address, port)
    try:
        yield
    finally:
        server.close()


def environment(port: int, upstream: int, **changes: str) -> dict[str, str]:
    plain = {
        "WORKERS": "1",
        "LISTEN": str(port),
        "INSTANCES": server_lines(f"127.0.0.1:{upstream}"),
        "TRIES": "1",
        "CLIENT_LIMIT": "off",
        "CLIENT_RATE": "100",
        "CLIENT_CONNECTIONS": "1000",
    }
    return plain | changes


def test_the_compose_file_fills_in_every_word_of_the_template(everything):
    service = everything["services"]["load-balancer"]["environment"]
    assert service["NGINX_ENVSUBST_FILTER"] == f"^({'|'.join(WORDS)})$"
    assert set(WORDS) <= set(service)


def test_nothing_of_nginx_own_is_filled_in(envsubst, monkeypatch):
    monkeypatch.setenv("status", "wrong")
    filled_in = fill_in(envsubst, environment(1, 2))
    assert "map $status $problem_title" in filled_in
    assert "${" not in filled_in


async def test_an_instance_that_comes_back_at_another_address_is_found_again(place, envsubst, everything):
    upstream, port = free_port(), free_port()
    words = dict(everything["services"]["load-balancer"]["environment"])
    async with name_server({"instance-1": "127.0.0.2"}) as names:
        resolver, *_ = words["INSTANCES"].split(";")
        resolver = resolver.replace("127.0.0.11", f"127.0.0.1:{names.port}").replace("valid=5s", "valid=1s")
        name = f"instance-1:{upstream}"
        instances = f"{resolver}; server {name} max_fails=1 resolve; server {name} backup resolve;"
        configuration = fill_in(envsubst, words | {"LISTEN": str(port), "INSTANCES": instances})
        async with load_balancer(place, configuration, port), httpx.AsyncClient() as client:

            async def is_answered_by(address: str) -> bool:
                return (await client.get(f"http://127.0.0.1:{port}/")).text == address

            async with instance("127.0.0.2", upstream):
                await until(lambda: is_answered_by("127.0.0.2"), "the first address is found")
            names.addresses["instance-1"] = "127.0.0.3"
            async with instance("127.0.0.3", upstream):
                await until(lambda: is_answered_by("127.0.0.3"), "the second address is found")


async def test_a_client_that_sends_too_much_is_refused_with_a_problem(place, envsubst):
    upstream, port = free_port(), free_port()
    # One request a second: none is due again while this test runs its burst of three.
    limited = environment(port, upstream, CLIENT_LIMIT="on", CLIENT_RATE="1")
    async with (
        instance("127.0.0.1", upstream),
        load_balancer(place, fill_in(envsubst, limited), port),
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client,
    ):
        answers = await asyncio.gather(*(client.get("/") for _ in range(20)))
        refused = [answer for answer in answers if answer.status_code == 429]
        assert len(refused) >= 10
        assert any(answer.status_code == 200 for answer in answers)
        assert refused[0].headers["content-type"] == "application/problem+json"
        assert refused[0].headers["retry-after"] == "1"
        assert json.loads(refused[0].content)["status"] == 429


async def test_a_client_with_too_much_in_flight_is_refused_with_a_problem(place, envsubst):
    upstream, port = free_port(), free_port()
    limited = environment(port, upstream, CLIENT_CONNECTIONS="2")
    held = asyncio.Event()

    async def hold(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        await held.wait()
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(hold, "127.0.0.1", upstream)
    async with (
        load_balancer(place, fill_in(envsubst, limited), port),
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=30) as client,
    ):
        asked = [asyncio.create_task(client.post("/")) for _ in range(5)]
        async with asyncio.timeout(30):
            while sum(task.done() for task in asked) < 3:
                await asyncio.sleep(0.01)
        refused = [task.result() for task in asked if task.done()]
        assert [answer.status_code for answer in refused] == [429] * 3
        assert refused[0].headers["content-type"] == "application/problem+json"
        held.set()
        assert sorted(answer.status_code for answer in await asyncio.gather(*asked)) == [200] * 2 + [429] * 3
    server.close()


async def test_a_request_with_an_idempotency_key_counts_as_well(place, envsubst):
    upstream, port = free_port(), free_port()
    limited = environment(port, upstream, CLIENT_LIMIT="on", CLIENT_RATE="1")
    async with (
        instance("127.0.0.1", upstream),
        load_balancer(place, fill_in(envsubst, limited), port),
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", headers={"Idempotency-Key": "k"}) as client,
    ):
        answers = await asyncio.gather(*(client.get("/") for _ in range(20)))
        assert {answer.status_code for answer in answers} == {200, 429}


async def test_nobody_is_refused_where_the_limit_is_off(place, envsubst):
    upstream, port = free_port(), free_port()
    unlimited = environment(port, upstream, CLIENT_RATE="1")
    async with (
        instance("127.0.0.1", upstream),
        load_balancer(place, fill_in(envsubst, unlimited), port),
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client,
    ):
        answers = await asyncio.gather(*(client.get("/") for _ in range(20)))
        assert {answer.status_code for answer in answers} == {200}


async def test_tls_is_spoken_with_the_certificate_of_the_documented_example(
    place, envsubst, read_compose, require_program
):
    files = ("docker/docker-compose.yml", "docker/docker-compose.tls.yml", "infra/docker-compose.yml")
    words = dict(read_compose(*files)["services"]["load-balancer"]["environment"])
    certificate, key = make_certificate(require_program("openssl", "openssl"), place)
    upstream, plain, secure = free_port(), free_port(), free_port()
    words["INSTANCES"] = server_lines(f"127.0.0.1:{upstream}")
    words["LISTEN"] = (
        words["LISTEN"]
        .replace("/etc/tandem/tls/tls.crt", str(certificate))
        .replace("/etc/tandem/tls/tls.key", str(key))
        .replace("8080", str(plain))
        .replace("8443", str(secure))
    )
    trust = ssl.create_default_context(cafile=certificate)
    async with (
        instance("127.0.0.1", upstream),
        load_balancer(place, fill_in(envsubst, words), secure),
        httpx.AsyncClient(verify=trust) as client,
    ):
        by_tls = await client.get(f"https://127.0.0.1:{secure}/")
        assert (by_tls.status_code, by_tls.headers["strict-transport-security"]) == (200, "max-age=31536000")
        in_the_open = await client.get(f"http://127.0.0.1:{plain}/")
        assert in_the_open.status_code == 200
        assert "strict-transport-security" not in in_the_open.headers


def make_certificate(openssl: str, place: Path) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1, as docs/deploy.md makes one to try it out."""
    certificate, key = place / "tls.crt", place / "tls.key"
    subprocess.run(
        [openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30", "-subj", "/CN=localhost",
         "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-out", certificate, "-keyout", key],
        check=True,
        capture_output=True,
    )  # fmt: skip
    key.chmod(0o644)
    return certificate, key
