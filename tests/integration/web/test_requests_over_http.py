"""What the application makes of requests, over real connections."""

import asyncio
import contextlib
import gzip
import logging

import httpx
import pytest

from tandem.web.application import Application
from tandem.web.limits import Limits
from tandem.web.problems import ProblemError
from tandem.web.requests import Response
from tandem.web.routes import Route
from web_example import ROUTES


@pytest.fixture
async def client(serving):
    async with serving(ROUTES, Limits(body_bytes=1_000)) as client:
        yield client


def problem(answer: httpx.Response, status: int) -> dict:
    """The problem that the answer must be."""
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json()
    assert body["status"] == status
    assert body["type"] == "about:blank"
    return body


async def test_a_request_is_decoded_and_its_answer_encoded(client):
    answer = await client.post("/things?seed=a+b%21&limit=7", json={"name": "علی", "unknown": [1]})
    assert answer.status_code == 201
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["location"] == "/things/1"
    thing = {"name": "علی", "place": None, "code": None, "counts": {}}
    assert answer.json() == {"seed": "a b!", "limit": 7, "thing": thing}


async def test_a_path_parameter_arrives_decoded_and_typed(client):
    answer = await client.get("/things/%34%32", headers={"accept": "application/x"})
    assert answer.json() == {"id": 42, "accept": "application/x"}


async def test_a_percent_encoded_slash_is_a_slash(client):
    """Granian decodes the path, once: a percent sign in it is one."""
    assert (await client.get("/things%2F1")).json()["id"] == 1
    assert "must be an integer" in problem(await client.get("/things/%2531"), 400)["detail"]


@pytest.mark.parametrize("path", ["/", "/thing", "/things/", "/things/1/2", "/%ff", "//things"])
async def test_an_unknown_path_is_not_found(client, path):
    problem(await client.get(path), 404)


@pytest.mark.parametrize(("path", "allowed"), [("/things", "GET, HEAD, POST"), ("/things/1", "GET, HEAD")])
async def test_another_method_is_refused_with_those_that_are_allowed(client, path, allowed):
    answer = await client.delete(path)
    assert allowed in problem(answer, 405)["detail"]
    assert answer.headers["allow"] == allowed


async def test_head_answers_as_get_does_but_without_the_body(client):
    get, head = await client.get("/things?seed=s"), await client.head("/things?seed=s")
    assert head.status_code == 200
    assert head.headers["content-length"] == str(len(get.content))
    assert head.content == b""


@pytest.mark.parametrize("media_type", ["application/json", "Application/JSON; charset=utf-8"])
async def test_json_is_accepted_however_its_media_type_is_written(client, media_type):
    answer = await client.post(
        "/things?seed=s", content=b'{"name":"a"}', headers={"content-type": media_type}
    )
    assert answer.status_code == 201


@pytest.mark.parametrize(
    "headers", [{}, {"content-type": "text/plain"}, {"content-type": "application/jsonx"}]
)
async def test_a_body_that_is_not_declared_as_json_is_refused(client, headers):
    problem(await client.post("/things?seed=s", content=b'{"name":"a"}', headers=headers), 415)


async def test_a_compressed_body_is_refused(client):
    headers = {"content-type": "application/json", "content-encoding": "gzip"}
    body = gzip.compress(b'{"name":"a"}')
    problem(await client.post("/things?seed=s", content=body, headers=headers), 415)


async def test_the_longest_body_is_accepted_and_one_byte_more_is_refused(client):
    headers = {"content-type": "application/json"}
    longest = b'{"name":"a"}'.ljust(1_000)
    assert (await client.post("/things?seed=s", content=longest, headers=headers)).status_code == 201
    refused = await client.post("/things?seed=s", content=longest + b" ", headers=headers)
    assert "1000 bytes" in problem(refused, 413)["detail"]
    assert refused.headers["connection"] == "close"


async def test_a_body_without_a_length_is_refused_when_it_is_too_long(client):
    async def long():
        for _ in range(100):
            yield b" " * 5_000

    headers = {"content-type": "application/json"}
    problem(await client.post("/things?seed=s", content=long(), headers=headers), 413)


async def test_a_far_too_long_body_is_refused_by_its_length_alone(client):
    reader, writer = await asyncio.open_connection(client.base_url.host, client.base_url.port)
    writer.write(
        b"POST /things?seed=s HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        b"Content-Length: 10000000\r\n\r\n"
    )
    assert (await reader.read()).startswith(b"HTTP/1.1 413 ")
    writer.close()


async def test_an_endless_body_is_cut_off(client):
    taken = 0

    async def endless():
        nonlocal taken
        while True:
            taken += 50_000
            yield b" " * 50_000

    headers = {"content-type": "application/json"}
    # Whether the client reads the answer before it notices the reset is its own business.
    with contextlib.suppress(httpx.TransportError):
        problem(await client.post("/things?seed=s", content=endless(), headers=headers), 413)
    assert taken < 50_000_000
    assert (await client.get("/things?seed=s")).status_code == 200


async def test_a_body_that_stops_half_way_is_given_up(serving):
    async with serving(ROUTES, Limits(body_seconds=0.05)) as client:
        reader, writer = await asyncio.open_connection(client.base_url.host, client.base_url.port)
        writer.write(
            b"POST /things?seed=s HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            b"Content-Length: 100\r\n\r\n{"
        )
        assert (await reader.read()).startswith(b"HTTP/1.1 408 ")
        writer.close()


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"\x00\xff\x16\x03\x01 nonsense\r\n\r\n",
        b"GET /\xc3\xa4 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
        b"GET http://[ HTTP/1.1\r\nHost: x\r\n\r\n",
        b"CONNECT x:1 HTTP/1.1\r\nHost: x\r\n\r\n",
        b"POST /things?seed=s HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        b"GET /things?seed=%zz%&%=%u0000 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
        b"GET /things?" + b"&" * 60_000 + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
        b"OPTIONS * HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    ],
)
async def test_nonsense_is_refused_and_the_server_goes_on(client, request_bytes):
    reader, writer = await asyncio.open_connection(client.base_url.host, client.base_url.port)
    writer.write(request_bytes)
    status_line = await reader.readline()
    assert status_line.startswith(b"HTTP/1.1 4")
    writer.close()
    assert (await client.get("/things?seed=s")).status_code == 200


async def test_a_body_in_pieces_is_put_together(client):
    async def pieces():
        for piece in (b'{"na', b'me":', b'"abc"}'):
            await asyncio.sleep(0)
            yield piece

    answer = await client.post(
        "/things?seed=s", content=pieces(), headers={"content-type": "application/json"}
    )
    assert answer.json()["thing"]["name"] == "abc"


async def test_an_unforeseen_error_says_nothing_of_the_inside_and_is_logged_once(serving, caplog):
    async def fail(_):
        raise KeyError("secret")

    async with serving([Route("GET", "/fail", fail, "Fails")]) as client:
        answer = await client.get("/fail")
    problem(answer, 500)
    assert "secret" not in answer.text
    assert [record.levelno for record in caplog.records] == [logging.ERROR]
    assert caplog.records[0].exc_info is not None


async def test_an_endpoint_can_answer_with_a_problem_and_headers(serving, caplog):
    async def refuse(_):
        raise ProblemError(503, "Full.", headers=(("Retry-After", "1"),))

    async with serving([Route("GET", "/full", refuse, "Full")]) as client:
        answer = await client.get("/full")
    assert problem(answer, 503) == {
        "type": "about:blank",
        "title": "Service Unavailable",
        "status": 503,
        "detail": "Full.",
    }
    assert answer.headers["retry-after"] == "1"
    assert not caplog.records


async def test_exceptions_and_their_subclasses_are_translated(serving):
    async def fail(_):
        raise FileNotFoundError("x.txt")

    translate = {OSError: lambda error: ProblemError(409, f"Lost {error}.")}
    async with serving([Route("GET", "/lost", fail, "Lost")], translate=translate) as client:
        assert problem(await client.get("/lost"), 409)["detail"] == "Lost x.txt."


async def test_a_client_that_leaves_does_not_stop_the_work_it_asked_for(serving, caplog):
    started, may_go_on, done = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def work(_):
        started.set()
        await may_go_on.wait()
        done.set()
        return Response(200)

    async with serving([Route("GET", "/work", work, "Works")]) as client:
        _, writer = await asyncio.open_connection(client.base_url.host, client.base_url.port)
        writer.write(b"GET /work HTTP/1.1\r\nHost: x\r\n\r\n")
        await started.wait()
        writer.close()
        await writer.wait_closed()
        may_go_on.set()
        await done.wait()
    assert not caplog.records


def test_two_routes_for_one_method_and_path_are_refused():
    with pytest.raises(ValueError, match="GET /things has two routes"):
        Application([*ROUTES, ROUTES[1]])
