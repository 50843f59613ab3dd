"""The load balancer alone, in front of servers that misbehave on purpose."""

import asyncio
import json
from pathlib import Path

import pytest

from nginx_in_front import load_balancer
from upstreams import (
    GET,
    KEYED,
    PLAIN,
    POST,
    answer_not_ready,
    answer_ok,
    ask,
    asked,
    hang_up,
)
from waiting import until


async def test_a_refused_connection_goes_to_the_next_instance_for_every_request(place: Path):
    async with load_balancer(place, None, answer_ok) as (port, upstreams):
        for request in ("GET / HTTP/1.1\r\nHost: test\r\n\r\n", POST.format(more="")):
            for _ in range(2):
                assert (await ask(port, request))[0] == 200
        assert len(asked(upstreams)) == 4


@pytest.mark.parametrize("method", ["POST", "PATCH"])
async def test_a_command_that_was_sent_is_never_sent_again(place: Path, method: str):
    async with load_balancer(place, hang_up, hang_up) as (port, upstreams):
        status, headers, body = await ask(port, POST.format(more="").replace("POST", method))
        assert (status, headers["content-type"]) == (502, "application/problem+json")
        assert json.loads(body)["status"] == 502
        assert len(asked(upstreams)) == 1


@pytest.mark.parametrize("method", ["POST", "PATCH", "DELETE"])
async def test_a_command_with_an_idempotency_key_is_sent_again_as_it_was(place: Path, method: str):
    async with load_balancer(place, hang_up, hang_up, answer_ok) as (port, upstreams):
        for _ in range(3):
            keyed = POST.format(more="Idempotency-Key: k\r\n").replace("POST", method)
            assert (await ask(port, keyed))[::2] == (200, b"fine")
        requests = [request for upstream in upstreams for request in upstream.requests]
        assert len(requests) > 3
        head = f"{method} / HTTP/1.1".encode()
        assert all(request.startswith(head) and request.endswith(b"{}") for request in requests)


@pytest.mark.parametrize("request_", [PLAIN, KEYED], ids=["without a key", "with a key"])
async def test_a_client_that_sends_no_more_still_gets_the_answer_to_its_command(place: Path, request_: str):
    sent_no_more = asyncio.Event()

    async def answer_later(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await sent_no_more.wait()
        await asyncio.sleep(0.2)  # so that nginx sees the end of what the client sends before the answer
        await answer_ok(_, writer)

    async with load_balancer(place, answer_later) as (port, _):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(request_.encode())
        writer.write_eof()
        sent_no_more.set()
        async with asyncio.timeout(20):
            assert (await reader.readuntil(b"\r\n")).startswith(b"HTTP/1.1 200")
        writer.close()


async def test_an_instance_that_is_not_ready_hands_a_get_to_the_next(place: Path):
    async with load_balancer(place, answer_not_ready, answer_ok) as (port, _):
        for _ in range(4):
            assert (await ask(port, "GET / HTTP/1.1\r\nHost: test\r\n\r\n"))[0] == 200


async def test_a_refusal_by_the_instance_reaches_the_client_of_a_post_as_it_is(place: Path):
    async with load_balancer(place, answer_not_ready, answer_not_ready) as (port, _):
        status, _, body = await ask(port, POST.format(more=""))
        assert (status, body) == (503, b"no.")


async def test_reads_are_served_while_every_instance_refuses_commands(place: Path):
    refusing = [True]

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await (answer_not_ready if refusing[0] else answer_ok)(reader, writer)

    async with load_balancer(place, behave, behave) as (port, _):
        for _ in range(4):
            assert (await ask(port, POST.format(more="")))[0] == 503
        refusing[0] = False
        for _ in range(4):
            assert (await ask(port, "GET / HTTP/1.1\r\nHost: test\r\n\r\n"))[0] == 200


async def test_commands_go_elsewhere_where_an_instance_refuses_them_all(place: Path):
    async def take_no_commands(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = load[1][0].requests[-1]
        refused = request.startswith(b"POST") or b" /health/ready " in request
        await (answer_not_ready if refused else answer_ok)(reader, writer)

    async with load_balancer(place, take_no_commands, answer_ok, answer_ok) as load:
        port, (sick, *_) = load

        async def is_left_out() -> bool:
            return {(await ask(port, PLAIN))[0] for _ in range(20)} == {200}

        await until(is_left_out, "the other instances get all commands")
        # Reads go on wherever, and commands with a key too.
        assert {(await ask(port, text))[0] for text in (GET, KEYED) * 10} == {200}
        assert not [request for request in sick.requests if b"/health/ready" in request and b"{}" in request]


async def test_an_instance_learns_who_asked_for_what(place: Path):
    async with load_balancer(place, answer_ok) as (port, upstreams):
        await ask(port, "GET /a%2Fb?c=%20 HTTP/1.1\r\nHost: shop.example\r\nX-Forwarded-For: 6.6.6.6\r\n\r\n")
        request = upstreams[0].requests[0].decode()
        assert request.startswith("GET /a%2Fb?c=%20 HTTP/1.1\r\n")
        for header in ("Host: shop.example", "X-Forwarded-For: 127.0.0.1", "X-Forwarded-Proto: http"):
            assert f"\r\n{header}\r\n" in request


@pytest.mark.parametrize(
    ("expected", "request_bytes"),
    [
        (400, b"GET / HTTP/1.1\r\n\r\n"),
        (413, b"POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 65537\r\n\r\n"),
        (
            413,
            b"POST / HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n10001\r\n" + b"x" * 0x10001,
        ),
        (
            413,
            b"POST / HTTP/1.1\r\nHost: test\r\nIdempotency-Key: k\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n10001\r\n" + b"x" * 0x10001,
        ),
        (414, b"GET /" + b"x" * 20_000 + b" HTTP/1.1\r\nHost: test\r\n\r\n"),
        (431, b"GET / HTTP/1.1\r\nHost: test\r\nX-Long: " + b"x" * 20_000 + b"\r\n\r\n"),
    ],
)
async def test_what_nginx_refuses_itself_is_a_problem_document(
    place: Path, expected: int, request_bytes: bytes
):
    async with load_balancer(place, answer_ok) as (port, _):
        status, headers, body = await ask(port, request_bytes)
        assert (status, headers["content-type"]) == (expected, "application/problem+json")
        assert headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"
        problem = json.loads(body)
        assert problem.pop("detail")
        assert problem.pop("title")
        assert problem == {"type": "about:blank", "status": expected}


async def test_a_body_of_exactly_64_kib_passes(place: Path):
    async def read_all(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(65_536)
        await answer_ok(reader, writer)

    async with load_balancer(place, read_all) as (port, _):
        request = b"POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 65536\r\n\r\n" + b"x" * 65_536
        assert (await ask(port, request))[0] == 200


async def test_an_event_stream_is_passed_on_while_it_is_written(place: Path):
    ended = asyncio.Event()

    async def stream(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nX-Accel-Buffering: no\r\n"
        writer.write(f"{head}Transfer-Encoding: chunked\r\n\r\n9\r\ndata: 1\n\n\r\n".encode())
        await ended.wait()

    async with load_balancer(place, stream) as (port, _), asyncio.timeout(10):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET / HTTP/1.1\r\nHost: test\r\n\r\n")
        await reader.readuntil(b"data: 1\n\n")
        ended.set()
        writer.close()
