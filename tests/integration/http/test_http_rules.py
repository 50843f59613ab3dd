"""What raw sockets may send: the rules of HTTP/1.1 (RFC 9112), and bounds for those who break them."""

import asyncio

import pytest

from raw import all_answers, answer_to, connected, flood, memory_bytes, statuses, until_true
from tandem.http.counters import HttpCounters
from tandem.http.limits import Limits
from tandem.http.requests import StreamResponse, json_response
from tandem.http.routes import Route
from web_example import ROUTES

MEBIBYTE = 1 << 20
GET = b"GET /things?seed=s HTTP/1.1\r\n"
POST = b"POST /things?seed=s HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"
LAST = b"Connection: close\r\n\r\n"


@pytest.mark.parametrize(
    ("opening", "piece"),
    [
        (CHUNKED + b'c\r\n{"name":"a"}\r\n0\r\n', b"X-Trailer: " + b"a" * 60 + b"\r\n"),
        (CHUNKED + b'c\r\n{"name":"a"}\r\n0\r\nX-Trailer: ', b"a" * 65_536),
        (CHUNKED + b"c;", b"a" * 65_536),
        (CHUNKED, b"1;" + b"a" * 1_000 + b"\r\nx\r\n"),
        (CHUNKED, b"10000\r\n" + b"a" * 65_536 + b"\r\n"),
        (POST + b"X-Endless: ", b"a" * 65_536),
        (GET + b"Host: x\r\nContent-Length: 100000000000\r\n\r\n", b"a" * 65_536),
    ],
    ids=[
        "trailers",
        "one trailer",
        "a chunk's extension",
        "extensions of many chunks",
        "chunks",
        "one header",
        "a body that nobody wants",
    ],
)
async def test_what_never_ends_is_cut_off_before_it_is_large(serving, opening, piece):
    async with serving(ROUTES) as client:
        before = memory_bytes()
        taken, answered = await flood(client, opening, piece * (65_536 // len(piece) or 1), 200 * MEBIBYTE)
        assert taken < 30 * MEBIBYTE  # what both systems keep under way, and no more
        assert memory_bytes() - before < 60 * MEBIBYTE
        assert not {status for status in statuses(answered) if status < 400}
        assert (await client.get("/things?seed=s")).status_code == 200


async def test_trailers_are_never_headers(serving):
    async with serving(ROUTES) as client:
        bare = b"POST /things?seed=s HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
        body = b'c\r\n{"name":"a"}\r\n0\r\n'
        answered = await all_answers(client, bare + body + b"Content-Type: application/json\r\n\r\n")
        assert statuses(answered) == [415]
        answered = await all_answers(client, CHUNKED + body + b"Authorization: Bearer x\r\n\r\n")
        assert statuses(answered) == [400]
        assert b"trailers" in answered


@pytest.mark.parametrize(
    "cut", [CHUNKED + b'c\r\n{"name":"a"}\r\n', POST + b'Content-Length: 20\r\n\r\n{"name":"a"}       ']
)
async def test_a_body_that_breaks_off_is_no_body(serving, cut):
    made = []

    async def create(request):
        made.append(request.body)
        return json_response("made", 201)

    (route, *_) = [route for route in ROUTES if route.method == "POST"]
    counted = Route("POST", "/things", create, "", query_type=route.query_type, body_type=route.body_type)
    async with serving([counted]) as client:
        async with connected(client) as (reader, writer):
            writer.write(cut)
            await writer.drain()
            writer.write_eof()
            await asyncio.wait_for(reader.read(), 10)
        whole = CHUNKED + b'c\r\n{"name":"b"}\r\n0\r\n\r\n'
        assert statuses(await all_answers(client, whole)) == [201]
    assert [thing.name for thing in made] == ["b"]


async def test_60_requests_sent_at_once_get_60_answers_wherever_the_pieces_are_cut(serving):
    padded = GET + b"Host: x\r\nX-Padding: " + b"p" * 600 + b"\r\n\r\n"
    async with serving(ROUTES) as client:
        for cut in (1, 32_768, 33_000):
            async with connected(client) as (reader, writer):
                sent = padded * 60
                writer.write(sent[:cut])
                await writer.drain()
                writer.write(sent[cut:])
                for _ in range(60):
                    assert (await answer_to(reader))[0].startswith(b"HTTP/1.1 200 ")


async def test_of_requests_sent_ahead_only_one_is_in_flight(serving):
    asked = 0
    may_answer = asyncio.Event()

    async def slow(_):
        nonlocal asked
        asked += 1
        await may_answer.wait()
        return json_response("slow")

    routes = [Route("GET", "/slow", slow, ""), *ROUTES]
    async with serving(routes) as client, connected(client) as (reader, writer):
        before = memory_bytes()
        writer.write(b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n" * 100_000)
        await until_true(lambda: asked)
        for _ in range(20):
            assert (await client.get("/things?seed=s")).status_code == 200
        assert asked == 1
        # What is not read stays with its sender, whose half of it is in this process.
        assert memory_bytes() - before < 30 * MEBIBYTE
        may_answer.set()
        assert (await answer_to(reader))[1] == b'"slow"'


@pytest.mark.parametrize(
    ("request_bytes", "status", "said"),
    [
        (GET + LAST, 400, b"The header Host is missing"),
        (GET + b"Host: x\r\nHost: y\r\n" + LAST, 400, b"more than one header Host"),
        (GET.replace(b"1.1", b"1.0") + b"\r\n", 200, b'"seed":"s"'),
        (GET.replace(b"/things", b"http://y/things") + b"Host: x\r\n" + LAST, 200, b'"seed":"s"'),
        (
            POST + b'Transfer-Encoding: gzip, chunked\r\n\r\nc\r\n{"name":"a"}\r\n0\r\n\r\n',
            501,
            b"only chunked",
        ),
        (POST + b'X-\xc3\xa4: \xc3\xa4\r\nContent-Length: 12\r\n\r\n{"name":"a"}', 400, b""),
        (POST + b"X-Key: \xc3\xa4\r\nContent-Length: 12\r\n" + LAST + b'{"name":"a"}', 400, b"X-Key"),
        (POST + b"Content-Encoding: gzip\r\nContent-Length: 12\r\n" + LAST + b'{"name":"a"}', 415, b""),
        (b"CONNECT x:1 HTTP/1.1\r\nHost: x\r\n" + LAST, 404, b"problem"),
        (b"OPTIONS * HTTP/1.1\r\nHost: x\r\n" + LAST, 404, b"problem"),
        (GET.replace(b"1.1", b"3.0") + b"Host: x\r\n" + LAST, 400, b""),
    ],
    ids=[
        "no host",
        "two hosts",
        "HTTP/1.0",
        "a whole URL",
        "another encoding",
        "a name that is not ASCII",
        "a value that is not ASCII",
        "a compressed body",
        "CONNECT",
        "OPTIONS *",
        "HTTP/3.0",
    ],
)
async def test_requests_are_taken_as_http_says(serving, request_bytes, status, said):
    async with serving(ROUTES) as client:
        answered = await all_answers(client, request_bytes)
        assert statuses(answered) == [status], answered
        assert said in answered


async def test_a_whole_url_says_more_than_host(serving):
    async def host(request):
        return json_response(request.header("Host"))

    async with serving([Route("GET", "/host", host, "")]) as client:
        answered = await all_answers(client, b"GET http://right:1/host HTTP/1.1\r\nHost: wrong\r\n" + LAST)
        assert answered.endswith(b'"right:1"')


async def test_an_offer_of_http_2_does_not_cost_a_request_its_body(serving):
    offer = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n"
    async with serving(ROUTES) as client, connected(client) as (reader, writer):
        writer.write(POST + offer + b'Content-Length: 12\r\n\r\n{"name":"a"}')
        head, body = await answer_to(reader)
        assert head.startswith(b"HTTP/1.1 201 ")
        assert b'"name":"a"' in body
        writer.write(GET + b"Host: x\r\n\r\n")
        assert (await answer_to(reader))[0].startswith(b"HTTP/1.1 200 ")


async def test_after_chunks_nothing_that_follows_is_believed(serving):
    hidden = GET + b"Host: x\r\n\r\n"
    async with serving(ROUTES) as client:
        chunks = (
            POST
            + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"
            + b'c\r\n{"name":"a"}\r\n0\r\n\r\n'
        )
        assert statuses(await all_answers(client, chunks + hidden)) == [201]


async def test_a_body_that_nobody_asks_for_is_read_so_that_its_sender_sees_the_answer(serving):
    body = b"a" * 500_000
    length = b"Content-Length: %d\r\n\r\n" % len(body)
    async with serving(ROUTES) as client, connected(client) as (reader, writer):
        writer.write(b"POST /nowhere HTTP/1.1\r\nHost: x\r\n" + length)
        await writer.drain()
        writer.write(body)
        assert (await answer_to(reader))[0].startswith(b"HTTP/1.1 404 ")


async def test_a_request_begins_when_all_of_its_small_body_is_there(serving):
    class Watching:
        begun = 0

        def authorize(self, request, scope):
            self.begun += request.method == "POST"

    watching = Watching()
    async with serving(ROUTES, authenticator=watching) as client, connected(client) as (reader, writer):
        writer.write(POST + b'Content-Length: 12\r\n\r\n{"name"')
        await writer.drain()
        for _ in range(10):
            await client.get("/things?seed=s")
        assert watching.begun == 0
        writer.write(b':"a"}')
        assert (await answer_to(reader))[0].startswith(b"HTTP/1.1 201 ")
        assert watching.begun == 1


async def test_who_leaves_within_a_small_body_harms_nobody(serving):
    counters = HttpCounters()
    async with serving(ROUTES, counters=counters) as client:
        async with connected(client) as (_, writer):
            writer.write(POST + b'Content-Length: 12\r\n\r\n{"name"')
            await writer.drain()
        posts = next(route for route in counters.routes if route.method == "POST")
        await until_true(lambda: posts.statuses.get(400) == 1)
        assert (await client.post("/things?seed=s", json={"name": "a"})).status_code == 201


async def test_a_slow_body_is_told_so_and_its_connection_closed(serving):
    async with serving(ROUTES, Limits(body_seconds=0.1)) as client:
        answered = await all_answers(client, POST + b"Content-Length: 100\r\n\r\n{")
        assert statuses(answered) == [408]
        assert b"application/problem+json" in answered
        assert b"connection: close" in answered


async def test_a_long_stream_goes_at_its_readers_pace(serving):
    made = 0

    async def chunks():
        nonlocal made
        for _ in range(2_000):
            made += 1
            yield b"x" * 65_536

    async def stream(_):
        return StreamResponse(chunks())

    routes = [Route("GET", "/stream", stream, ""), *ROUTES]
    async with serving(routes) as client, connected(client) as (reader, writer):
        writer.write(b"GET /stream HTTP/1.1\r\nHost: x\r\n" + LAST)
        await reader.readuntil(b"\r\n\r\n")
        seen = -1
        while seen != made:  # until no more is made
            seen = made
            await asyncio.sleep(0.5)
        assert 0 < made < 500
        size = 0
        while data := await asyncio.wait_for(reader.read(1 << 20), 20):
            size += len(data)
        assert size > 2_000 * 65_536
        assert made == 2_000


async def test_a_costly_read_ends_when_its_client_leaves_and_a_command_does_not(serving):
    begun, ended = asyncio.Event(), []
    may_end = asyncio.Event()

    async def costly(_):
        begun.set()
        try:
            await may_end.wait()
        except asyncio.CancelledError:
            ended.append("cancelled")
            raise
        ended.append("done")
        return json_response("done")

    read = Route("GET", "/read", costly, "", cancel_on_disconnect=True)
    command = Route("POST", "/command", costly, "")
    async with serving([read, command]) as client:
        for request in (b"GET /read", b"POST /command"):
            begun.clear()
            async with connected(client) as (_, writer):
                writer.write(request + b" HTTP/1.1\r\nHost: x\r\n\r\n")
                await begun.wait()
            if request == b"GET /read":
                await until_true(lambda: ended == ["cancelled"])
        may_end.set()
        await until_true(lambda: ended == ["cancelled", "done"])
        answer = await client.get("/read")
        assert answer.json() == "done"
