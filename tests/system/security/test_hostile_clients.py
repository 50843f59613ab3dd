"""Who floods, dawdles, nests and smuggles: the others are answered meanwhile, and afterwards."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import httpx
import pytest

from nginx_in_front import run_nginx
from targets import assert_answers_others, crowd, statuses

HEAD = b"POST /api/v1/user-command?seed=s HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"


@pytest.fixture(scope="module")
async def ports(shared_serve, new_place) -> AsyncIterator[dict[str, int]]:
    """One instance, directly and through nginx."""
    served = await shared_serve("attacked")
    async with run_nginx(new_place(), [served.client.base_url.port]) as port:
        yield {"an instance": served.client.base_url.port, "the load balancer": port}
    assert served.process.returncode is None
    assert "Traceback" not in served.log.read_text()


@pytest.fixture(params=["an instance", "the load balancer"])
def port(request, ports) -> int:
    return ports[request.param]


@pytest.mark.parametrize(
    "opening",
    [
        b"",
        b"GE",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Slow: ",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Long: " + b"x" * 12_000,
        HEAD + b"Content-Length: 60000\r\n\r\n{",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n",
    ],
    ids=[
        "who ask nothing",
        "who begin to ask",
        "who drip a head",
        "who send long heads",
        "who owe a body",
        "who owe a chunk",
    ],
)
async def test_others_are_answered_beside_a_thousand_clients(port, opening):
    async with crowd(port, 1_000, opening) as writers:

        async def drip() -> None:
            while True:
                for writer in writers:
                    writer.write(b"x")
                await asyncio.sleep(0.2)

        dripping = asyncio.ensure_future(drip()) if opening else None
        await assert_answers_others(port)
        if dripping:
            dripping.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await dripping
    await assert_answers_others(port)


async def test_others_are_answered_beside_clients_who_ask_on_and_read_nothing(port):
    asking = b"GET /api/v1/random-users?results=1000 HTTP/1.1\r\nHost: localhost\r\n\r\n" * 10
    async with crowd(port, 20, asking):
        await assert_answers_others(port)


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 60_000,
        b'{"name":' * 7_000,
        b'{"email":"a@b.example","location":' + b"[" * 30_000 + b"]" * 30_000 + b"}",
        b'{"email":"a@b.example","x":' + b'{"x":' * 6_000 + b"1" + b"}" * 6_000 + b"}",
        b'{"email":"a@b.example","dob":' + b"9" * 60_000 + b"}",
    ],
    ids=["arrays", "objects", "below a field", "below a field unknown here", "a number without end"],
)
async def test_a_body_beyond_reason_is_refused_or_ignored_in_words(port, body):
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=20) as client:
        headers = {"Content-Type": "application/json"}
        answer = await client.post("/api/v1/user-command?seed=s", content=body, headers=headers)
        assert answer.status_code in {201, 400}
        if answer.status_code == 400:
            assert answer.json()["errors"]
    await assert_answers_others(port)


@pytest.mark.parametrize(
    ("length", "expected"),
    [(b"9223372036854775807", 413), (b"99999999999999999999", 400)],
    ids=["huge", "beyond any number"],
)
async def test_a_length_that_cannot_be_is_refused_before_any_body(ports, length, expected):
    assert await statuses(ports["an instance"], HEAD + b"Content-Length: %b\r\n\r\n" % length) == [expected]


async def test_a_body_of_no_declared_length_is_none(port):
    assert await statuses(port, HEAD + b"Connection: close\r\n\r\n") == [400]


HIDDEN = b"GET /api/v1/stats HTTP/1.1\r\nHost: localhost\r\n\r\n"
ENCODING = HEAD + b"Transfer-Encoding"
CHUNKED = b"Transfer-Encoding: chunked\r\n"
NO_CHUNKS = b"0\r\n\r\n"
SMUGGLING = {
    "a length and chunks": HEAD + b"Content-Length: 5\r\n" + CHUNKED + b"\r\n" + NO_CHUNKS + HIDDEN,
    "chunks and a length": HEAD + CHUNKED + b"Content-Length: 5\r\n\r\n" + NO_CHUNKS + HIDDEN,
    "two lengths": HEAD + b"Content-Length: 2\r\nContent-Length: 60\r\n\r\n{}" + HIDDEN,
    "a list of lengths": HEAD + b"Content-Length: 2, 60\r\n\r\n{}" + HIDDEN,
    "a length with a sign": HEAD + b"Content-Length: +2\r\n\r\n{}" + HIDDEN,
    "a folded header": ENCODING + b":\r\n chunked\r\n\r\n" + NO_CHUNKS + HIDDEN,
    "a space before the colon": ENCODING + b" : chunked\r\n\r\n" + NO_CHUNKS + HIDDEN,
    "an encoding that is nearly right": ENCODING + b": xchunked\r\n\r\n" + NO_CHUNKS + HIDDEN,
    "chunks, then something else": HEAD
    + b"Transfer-Encoding: chunked, identity\r\n\r\n"
    + NO_CHUNKS
    + HIDDEN,
    "a chunk of negative size": HEAD + CHUNKED + b"\r\n-1\r\n" + HIDDEN,
    "a chunk of more than all": HEAD + CHUNKED + b"\r\nfffffffffffffffff\r\n" + HIDDEN,
    "a chunk longer than it says": HEAD + CHUNKED + b"\r\n2\r\n{}xx\r\n" + NO_CHUNKS + HIDDEN,
    "a NUL in a header": HEAD + b"X: a\x00b\r\n\r\n" + HIDDEN,
}


@pytest.mark.parametrize("request_bytes", SMUGGLING.values(), ids=SMUGGLING.keys())
async def test_a_request_hidden_behind_another_is_never_answered(port, request_bytes):
    (status,) = await statuses(port, request_bytes)
    assert status in {400, 415, 501}
