"""What one client may send, how long it may take, and how many may come: the bounds of a connection."""

import asyncio
import contextlib

import pytest

from raw import answer_to, connected
from tandem.web.limits import Limits
from tandem.web.requests import StreamResponse, json_response
from tandem.web.routes import Route
from tandem.web.sockets import count_connections
from waiting import until
from web_example import ROUTES

GET = b"GET /things?seed=%d HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.mark.parametrize(
    "head",
    [
        b"GET /things?seed=s HTTP/1.1\r\nHost: x\r\nX-Long: " + b"a" * 40_000 + b"\r\n\r\n",
        b"GET /things?seed=" + b"s" * 40_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /things?seed=s HTTP/1.1\r\nHost: x\r\nX-Never-Ends: " + b"a" * 40_000,
        b"GET /things?seed=s HTTP/1.1\r\n" + b"".join(b"X-%d: y\r\n" % number for number in range(1_000)),
    ],
    ids=["a long header", "a long target", "an unfinished header", "many headers"],
)
async def test_a_head_that_is_too_long_is_refused_and_the_connection_closed(serving, head):
    async with serving(ROUTES, Limits(head_bytes=8_192)) as client, connected(client) as (reader, writer):
        writer.write(head)
        assert (await reader.readline()).startswith(b"HTTP/1.1 431 ")
        assert b"connection: close\r\n" in await reader.read()


@pytest.mark.parametrize("sent", [b"GET /thi", b"GET /things HTTP/1.1\r\nHost: x\r\nX-Slow:"])
async def test_a_head_that_never_ends_is_given_up_however_slowly_it_goes_on(serving, sent):
    async with (
        serving(ROUTES, Limits(head_seconds=0.1)) as client,
        connected(client) as (reader, writer),
    ):
        writer.write(sent)

        async def drip():
            while True:
                await asyncio.sleep(0.01)
                writer.write(b"a")

        dripping = asyncio.ensure_future(drip())
        # Granian gives it no answer.
        with contextlib.suppress(ConnectionError):
            assert await asyncio.wait_for(reader.read(), 10) == b""
        dripping.cancel()


async def test_a_connection_that_asks_nothing_is_closed(serving):
    async with serving(ROUTES, Limits(head_seconds=0.1)) as client:
        async with connected(client) as (reader, _):
            assert await asyncio.wait_for(reader.read(), 10) == b""
        async with connected(client) as (reader, writer):
            writer.write(GET % 1)
            assert b'"seed":"1"' in (await answer_to(reader))[1]
            assert await asyncio.wait_for(reader.read(), 10) == b""


async def test_a_client_that_waits_for_us_is_never_overdue(serving):
    is_asked, may_answer = asyncio.Event(), asyncio.Event()

    async def slow(_):
        is_asked.set()
        await may_answer.wait()
        return json_response("late")

    short = Limits(head_seconds=0.05, body_seconds=0.05, answer_seconds=9.0)
    route = Route("GET", "/slow", slow, "Slow")
    async with serving([route], short) as client, connected(client) as (reader, writer):
        writer.write(b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n")
        await is_asked.wait()
        # A head begun after that is overdue: the times have passed for the one that waits, too.
        async with connected(client) as (late_reader, late_writer):
            late_writer.write(b"GET /slow")
            with contextlib.suppress(ConnectionError):
                assert await asyncio.wait_for(late_reader.read(), 10) == b""
        may_answer.set()
        assert (await answer_to(reader))[1] == b'"late"'


def long_answer():
    """A route whose answers are longer than what the system takes off our hands; how many were made."""
    made = []

    async def answer(_):
        made.append(1)
        return json_response("x" * 8_000_000)

    return Route("GET", "/long", answer, "Long"), made


LONG = b"GET /long HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.mark.parametrize("asked", [LONG, LONG.replace(b"Host: x", b"Host: x\r\nConnection: close")])
async def test_a_client_that_does_not_read_its_answer_is_let_go(serving, asked):
    route, made = long_answer()
    only_one = Limits(answer_seconds=0.1, connections=1)
    async with serving([route, *ROUTES], only_one) as client, connected(client) as (_, writer):
        writer.write(asked)

        async def is_gone():
            return made and (await client.get("/things?seed=s")).status_code == 200

        await until(is_gone, "there is room for another client")


async def test_no_answer_is_made_before_the_one_before_was_read(serving):
    route, made = long_answer()
    async with serving([route, *ROUTES]) as client, connected(client) as (reader, writer):
        writer.write(LONG * 10)
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)
        assert head.startswith(b"HTTP/1.1 200 ")
        for _ in range(3):
            assert (await client.get("/things?seed=s")).status_code == 200
        assert len(made) == 1
        await asyncio.wait_for(reader.readexactly(8_000_002), 10)
        await asyncio.wait_for(answer_to(reader), 10)
        assert len(made) >= 2


async def test_one_connection_too_many_waits_until_another_closes(serving):
    async with serving(ROUTES, Limits(connections=1)) as client, connected(client) as (reader, writer):
        writer.write(GET % 1)
        await answer_to(reader)
        async with connected(client) as (late_reader, late_writer):
            late_writer.write(GET % 3)
            writer.write(GET % 2)
            assert b'"seed":"2"' in (await answer_to(reader))[1]
            writer.close()
            assert b'"seed":"3"' in (await answer_to(late_reader))[1]


async def test_half_heads_shut_nobody_out_for_longer_than_a_head_may_take(serving):
    limits = Limits(connections=20, head_seconds=0.5)
    async with serving(ROUTES, limits) as client, contextlib.AsyncExitStack() as half:
        for _ in range(40):
            _, writer = await half.enter_async_context(connected(client))
            writer.write(b"GET /things")
        assert (await client.get("/things?seed=s", timeout=30)).status_code == 200


async def test_idle_connections_do_not_keep_others_from_being_answered(serving):
    async with serving(ROUTES) as client, contextlib.AsyncExitStack() as idle:
        for _ in range(400):
            _, writer = await idle.enter_async_context(connected(client))
            writer.write(b"GET /things")
        assert (await client.get("/things?seed=s")).status_code == 200


async def test_requests_sent_ahead_are_answered_in_their_order(serving):
    async with serving(ROUTES) as client, connected(client) as (reader, writer):
        writer.write(b"".join(GET % number for number in range(200)))
        for number in range(200):
            assert b'"seed":"%d"' % number in (await answer_to(reader))[1]


async def test_what_is_no_http_is_answered_after_what_came_before_it(serving):
    async with serving(ROUTES) as client, connected(client) as (reader, writer):
        writer.write(GET % 1 + b"nonsense\r\n\r\n")
        assert b'"seed":"1"' in (await answer_to(reader))[1]
        assert (await answer_to(reader))[0].startswith(b"HTTP/1.1 400 ")
        assert await reader.read() == b""


async def test_a_request_may_come_byte_by_byte(serving):
    body = b'{"name":"abc"}'
    request = (
        b"POST /things?seed=s HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        b"Content-Length: %d\r\n\r\n%b" % (len(body), body)
    )
    async with serving(ROUTES) as client, connected(client) as (reader, writer):
        for byte in request:
            writer.write(bytes([byte]))
            await writer.drain()
            await asyncio.sleep(0)
        assert b'"name":"abc"' in (await answer_to(reader))[1]


async def test_who_asks_before_sending_a_body_is_told_to_go_on(serving):
    async with serving(ROUTES) as client, connected(client) as (reader, writer):
        writer.write(
            b"POST /things?seed=s HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            b"Content-Length: 12\r\nExpect: 100-continue\r\n\r\n"
        )
        assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        writer.write(b'{"name":"a"}')
        assert (await answer_to(reader))[0].startswith(b"HTTP/1.1 201 ")


async def test_a_client_that_knows_no_chunks_gets_a_stream_until_the_connection_closes(serving):
    async def chunks():
        yield b"one,"
        yield b"two"

    async def stream(_):
        return StreamResponse(chunks())

    async with (
        serving([Route("GET", "/stream", stream, "A stream")]) as client,
        connected(client) as (reader, writer),
    ):
        writer.write(b"GET /stream HTTP/1.0\r\n\r\n")
        head, _, body = (await reader.read()).partition(b"\r\n\r\n")
        assert b"transfer-encoding" not in head.lower()
        assert body == b"one,two"


async def test_a_request_for_another_protocol_is_answered_as_plain_http(serving):
    async with serving(ROUTES) as client, connected(client) as (reader, writer):
        writer.write(
            b"GET /things?seed=7 HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
        )
        assert b'"seed":"7"' in (await answer_to(reader))[1]


async def test_open_connections_are_counted(serving):
    async with serving(ROUTES) as client, contextlib.AsyncExitStack() as opened:
        port = client.base_url.port
        for number in range(3):
            reader, writer = await opened.enter_async_context(connected(client))
            writer.write(GET % number)
            await answer_to(reader)
        assert count_connections(port) == 3
