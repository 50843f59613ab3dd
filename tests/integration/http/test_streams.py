"""Answers that are sent piece by piece."""

import asyncio

import httpx
import pytest

from tandem.http.problems import ProblemError
from tandem.http.requests import StreamResponse
from tandem.http.routes import Route


def stream_route(chunks, **options) -> Route:
    """`GET /stream` answers with what the generator function yields."""

    async def answer(_) -> StreamResponse:
        return StreamResponse(chunks(), **options)

    return Route("GET", "/stream", answer, "A stream")


async def test_a_stream_arrives_whole(serving):
    async def chunks():
        for number in range(1000):
            yield b"%d," % number
            await asyncio.sleep(0)

    route = stream_route(chunks, media_type="text/csv", headers=(("X-Kind", "numbers"),))
    async with serving([route]) as client:
        answer = await client.get("/stream")
    assert answer.content == b"".join(b"%d," % number for number in range(1000))
    assert answer.headers["content-type"] == "text/csv"
    assert answer.headers["x-kind"] == "numbers"


async def test_chunks_are_sent_as_they_come_and_a_stream_is_closed_when_its_client_leaves(serving):
    closed = asyncio.Event()

    async def chunks():
        try:
            yield b"first"
            await asyncio.Event().wait()
        finally:
            closed.set()

    async with serving([stream_route(chunks, endless=True)]) as client:
        async with client.stream("GET", "/stream") as answer:
            assert await anext(answer.aiter_bytes()) == b"first"
        await asyncio.wait_for(closed.wait(), 10)


async def test_head_of_a_stream_does_not_run_it(serving):
    ran = False

    async def chunks():
        nonlocal ran
        ran = True
        yield b"x"

    async with serving([stream_route(chunks)]) as client:
        assert (await client.head("/stream")).status_code == 200
    assert not ran


async def test_what_fails_before_the_first_chunk_is_still_a_problem(serving):
    async def chunks():
        raise ProblemError(503, "Not now.")
        yield b""

    async with serving([stream_route(chunks)]) as client:
        answer = await client.get("/stream")
    assert (answer.status_code, answer.headers["content-type"]) == (503, "application/problem+json")


async def test_a_stream_that_fails_half_way_never_looks_complete(serving, caplog):
    async def chunks():
        yield b"half"
        raise OSError("gone")

    async with serving([stream_route(chunks)]) as client:
        with pytest.raises(httpx.RemoteProtocolError):
            await client.get("/stream")
    assert "An answer broke off half way" in caplog.text


async def test_an_endless_stream_ends_in_order_when_the_server_stops(serving):
    async def chunks():
        yield b"data: 1\n\n"
        await asyncio.Event().wait()

    received = []
    async with serving([stream_route(chunks, endless=True)]) as client:
        reader, writer = await asyncio.open_connection(client.base_url.host, client.base_url.port)
        writer.write(b"GET /stream HTTP/1.1\r\nHost: x\r\n\r\n")
        await reader.readuntil(b"data: 1\n\n\r\n")
        received.append(asyncio.ensure_future(reader.read()))
    assert await received[0] == b"0\r\n\r\n"
    writer.close()
