"""HAProxy on its template: in front of servers that misbehave on purpose, and of real instances."""

import asyncio
import json
import signal
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from haproxy_in_front import but_well, plain_configuration, run_haproxy
from servers import run_servers
from systems import Servings, open_system
from upstreams import (
    GET,
    KEYED,
    PLAIN,
    Behaviour,
    Upstream,
    answer_not_ready,
    answer_ok,
    ask,
    asked,
    hang_up,
    never_answer,
    run_upstreams,
)
from waiting import until

CHUNKED = b"POST / HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.fixture(scope="module")
def program(require_program) -> str:
    return require_program("haproxy", "haproxy")


def commands_go_elsewhere(log: Path, port: int) -> bool:
    """Each backend of HAProxy finds out by itself."""
    return f"Server commands/instance-{port} is DOWN" in log.read_text()


def run_in_front(program: str, place: Path, ports: Sequence[int], **changes: int):
    return run_haproxy(program, place, lambda listen: plain_configuration(listen, ports, **changes))


@asynccontextmanager
async def balanced(
    program: str, place: Path, *behaviours: Behaviour | None, **changes: int
) -> AsyncIterator[tuple[int, list[Upstream]]]:
    """HAProxy in front of one healthy-looking upstream for each behaviour."""
    looking_well = [behaviour and but_well(behaviour) for behaviour in behaviours]
    async with run_upstreams(*looking_well) as (ports, upstreams):
        for behaviour, upstream in zip(filter(None, looking_well), upstreams, strict=True):
            behaviour.upstream = upstream
        async with run_in_front(program, place, ports, **changes) as haproxy:
            for upstream in upstreams:
                upstream.requests.clear()
            yield haproxy.port, upstreams


async def test_a_refused_connection_goes_to_the_next_instance_for_every_request(program, tmp_path):
    async with balanced(program, tmp_path, None, answer_ok) as (port, _):
        for request in (GET, PLAIN, KEYED) * 2:
            assert (await ask(port, request))[0] == 200


async def test_a_command_without_a_key_is_never_sent_again_and_its_client_is_told(program, tmp_path):
    async with balanced(program, tmp_path, hang_up, hang_up) as (port, upstreams):
        status, headers, body = await ask(port, PLAIN)
        assert (status, headers["content-type"]) == (502, "application/problem+json")
        assert "may have been carried out" in json.loads(body)["detail"]
        assert "retry-after" not in headers
        assert len(asked(upstreams)) == 1


async def test_a_command_with_a_key_is_sent_again_as_it_was(program, tmp_path):
    # HAProxy tries another one than the last; of three, it might come back to the first.
    async with balanced(program, tmp_path, hang_up, answer_ok) as (port, upstreams):
        for _ in range(3):
            assert (await ask(port, KEYED))[::2] == (200, b"fine")
        requests = asked(upstreams)
        assert len(requests) > 3
        assert all(request.startswith(b"POST / ") and request.endswith(b"{}") for request in requests)


async def test_who_is_not_ready_hands_over_what_is_safe_to_resend(program, tmp_path):
    async with balanced(program, tmp_path, answer_not_ready, answer_ok) as (port, _):
        for request in (GET, KEYED) * 3:
            assert (await ask(port, request))[0] == 200


async def test_the_refusal_of_all_instances_is_passed_on(program, tmp_path):
    async with balanced(program, tmp_path, answer_not_ready, answer_not_ready) as (port, _):
        for request in (GET, PLAIN, KEYED):
            status, _, body = await ask(port, request)
            assert (status, body) == (503, b"no.")


async def test_who_takes_no_more_commands_answers_those_in_hand(program, tmp_path):
    takes_commands, has_committed = True, asyncio.Event()

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = upstreams[0].requests[-1]
        if request.startswith(b"POST"):
            await has_committed.wait()
        refused = b"/health/ready" in request and not takes_commands
        await (answer_not_ready if refused else answer_ok)(reader, writer)

    async with run_upstreams(behave) as (ports, upstreams), run_in_front(program, tmp_path, ports) as haproxy:
        in_hand = asyncio.create_task(ask(haproxy.port, PLAIN))

        async def is_sent() -> bool:
            return len(asked(upstreams)) == 1

        await until(is_sent, "the instance has the command")
        takes_commands = False

        async def has_asked_often_since() -> bool:
            return sum(b"/health/ready" in request for request in upstreams[0].requests[before:]) > 5

        before = len(upstreams[0].requests)
        await until(has_asked_often_since, "HAProxy knows that it takes no more")
        assert (await ask(haproxy.port, PLAIN))[0] == 503
        has_committed.set()
        assert (await in_hand)[0] == 200


async def test_reads_go_on_where_no_instance_takes_commands(program, tmp_path):
    async def no_postgresql(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        ready = b"/health/ready" in no_postgresql.upstream.requests[-1]
        await (answer_not_ready if ready else answer_ok)(reader, writer)

    async with run_upstreams(no_postgresql) as (ports, upstreams):
        no_postgresql.upstream = upstreams[0]
        async with run_in_front(program, tmp_path, ports) as haproxy:

            async def refuses_commands() -> bool:
                status, headers, _ = await ask(haproxy.port, PLAIN)
                return (status, headers["content-type"]) == (503, "application/problem+json")

            await until(refuses_commands, "nobody is asked who cannot take commands")
            for _ in range(4):
                assert (await ask(haproxy.port, GET))[0] == 200


@pytest.mark.parametrize(
    ("expected", "request_bytes"),
    [
        (400, b"GET / HTTP/1.1\r\n\r\n"),
        (413, b"POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 65537\r\n\r\n" + b"x" * 65_537),
        (413, CHUNKED + b"10001\r\n" + b"x" * 0x10001 + b"\r\n0\r\n\r\n"),
        (413, CHUNKED + b"30000\r\n" + b"x" * 0x30000),
        (414, b"GET /" + b"x" * 20_000 + b" HTTP/1.1\r\nHost: test\r\n\r\n"),
        (431, b"GET / HTTP/1.1\r\nHost: test\r\nX-Long: " + b"x" * 40_000 + b"\r\n\r\n"),
    ],
)  # fmt: skip
async def test_what_haproxy_refuses_itself_is_a_problem_document(program, tmp_path, expected, request_bytes):
    async with balanced(program, tmp_path, answer_ok) as (port, upstreams):
        status, headers, body = await ask(port, request_bytes)
        assert (status, headers["content-type"]) == (expected, "application/problem+json")
        assert headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"
        assert (json.loads(body)["status"], headers["cache-control"]) == (expected, "no-store")
        assert asked(upstreams) == []


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
        b"PRI * HTTP/9.9\r\n\r\n",
    ],
)
async def test_what_is_no_http_reaches_no_instance(program, tmp_path, request_bytes):
    async with balanced(program, tmp_path, answer_ok) as (port, upstreams):
        assert (await ask(port, request_bytes))[0] == 400
        assert asked(upstreams) == []


async def test_a_body_of_exactly_64_kib_passes(program, tmp_path):
    async def read_all(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(65_536)
        await answer_ok(reader, writer)

    async with balanced(program, tmp_path, read_all) as (port, _):
        request = b"POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 65536\r\n\r\n" + b"x" * 65_536
        assert (await ask(port, request))[0] == 200


async def test_an_address_may_send_so_much_and_no_more(program, tmp_path):
    # HAProxy counts sliding seconds, and the probes before were counted, too.
    async with balanced(program, tmp_path, answer_ok, CLIENT_RATE=10) as (port, _):
        answers = await asyncio.gather(*(ask(port, GET) for _ in range(60)))
        refused = [answer for answer in answers if answer[0] == 429]
        assert refused
        assert {answer[0] for answer in answers} == {200, 429}
        assert (refused[0][1]["content-type"], refused[0][1]["retry-after"]) == (
            "application/problem+json",
            "1",
        )


async def test_an_address_may_have_so_many_connections_and_no_more(program, tmp_path):
    async with balanced(program, tmp_path, never_answer, CLIENT_CONNECTIONS=5) as (port, upstreams):

        async def asking() -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(PLAIN.encode())
            return reader, writer

        held = [await asking() for _ in range(5)]

        async def all_are_counted() -> bool:
            for place, (reader, _) in enumerate(held):
                # HAProxy may still count the connection that found out whether it listens.
                if reader.at_eof() or reader.exception():
                    held[place] = await asking()
            return len(asked(upstreams)) == 5

        await until(all_are_counted, "five requests have come through")
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            await ask(port, GET)
        for _, writer in held:
            writer.close()


async def test_an_instance_learns_who_asked_for_what(program, tmp_path):
    async with balanced(program, tmp_path, answer_ok) as (port, upstreams):
        await ask(port, "GET /a%2Fb?c=%20 HTTP/1.1\r\nHost: shop.example\r\nX-Forwarded-For: 6.6.6.6\r\n\r\n")
        request = asked(upstreams)[-1].decode().lower()
        assert request.startswith("get /a%2fb?c=%20 http/1.1\r\n")
        for header in ("host: shop.example", "x-forwarded-for: 127.0.0.1", "x-forwarded-proto: http"):
            assert f"\r\n{header}\r\n" in request
        assert "6.6.6.6" not in request


async def test_an_event_stream_is_passed_on_while_it_is_written(program, tmp_path):
    ended = asyncio.Event()

    async def stream(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\ndata: 1\n\n\r\n")
        await ended.wait()

    async with balanced(program, tmp_path, stream) as (port, _), asyncio.timeout(10):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET /api/v1/live?seed=a HTTP/1.1\r\nHost: test\r\n\r\n")
        await reader.readuntil(b"data: 1\n\n")
        ended.set()
        writer.close()


@pytest.mark.slow
async def test_a_frozen_instance_costs_nobody_a_read_or_a_command_with_a_key(
    program, tmp_path, serve, system
):
    instances = [await serve(f"instance-{number}") for number in (1, 2, 3)]
    frozen = instances[0]
    ports = [served.client.base_url.port for served in instances]
    async with (
        run_in_front(program, tmp_path, ports) as haproxy,
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{haproxy.port}", timeout=40) as client,
    ):

        def command(number: int, **headers: str):
            body = {"email": f"{number}@example.com"}
            return client.post("/api/v1/user-command?seed=frozen", json=body, headers=headers)

        frozen.process.send_signal(signal.SIGSTOP)
        reads = [client.get("/api/v1/user-query?seed=frozen") for _ in range(12)]
        keyed = [command(number, **{"Idempotency-Key": f"key-{number}"}) for number in range(12)]
        answers = await asyncio.gather(*reads, *keyed)
        assert [answer.status_code for answer in answers] == [200] * 12 + [201] * 12

        async def is_found_out() -> bool:
            return commands_go_elsewhere(haproxy.log, ports[0])

        await until(is_found_out, "HAProxy has found out")
        # From now on nobody is sent there, with a key or without.
        assert [(await command(number)).status_code for number in range(6)] == [201] * 6
        frozen.process.send_signal(signal.SIGCONT)
        await system.until_synchronized(18)


@pytest.mark.slow
async def test_a_command_is_waited_for_while_postgresql_is_slow(program, tmp_path, serve, system):
    ports = [(await serve(f"instance-{number}")).client.base_url.port for number in (1, 2)]
    async with (
        run_in_front(program, tmp_path, ports) as haproxy,
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{haproxy.port}", timeout=40) as client,
    ):
        async with system.postgres.transaction():
            await system.postgres.execute("lock table prm_user in share mode")
            plain = asyncio.create_task(
                client.post("/api/v1/user-command?seed=slow", json={"email": "a@b.example"})
            )
            await asyncio.sleep(3)
            assert not plain.done()
        assert (await plain).status_code == 201
        await system.until_synchronized(1)


@pytest.mark.slow
async def test_an_instance_without_postgresql_takes_no_commands_and_serves_reads(
    program, tmp_path, new_place
):
    async with run_servers(new_place()) as servers, open_system(servers) as system:
        servings = Servings(system, tmp_path)
        port = (await servings()).client.base_url.port
        async with (
            run_in_front(program, tmp_path, [port]) as haproxy,
            httpx.AsyncClient(base_url=f"http://127.0.0.1:{haproxy.port}", timeout=40) as client,
        ):
            await servers.postgres_server.process.stop(signal.SIGQUIT, patience_seconds=10)

            async def is_not_ready() -> bool:
                return (await client.get("/health/ready")).status_code == 503

            await until(is_not_ready, "the instance says that it takes no commands")
            assert (await client.get("/health/read")).status_code == 200
            assert (await client.get("/api/v1/user-query?seed=away")).status_code == 200
            await servers.postgres_server.start()
        await servings.close()
