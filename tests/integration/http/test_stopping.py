"""A server that is told to stop loses no request."""

import asyncio
import signal
import sys
from asyncio.subprocess import PIPE
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from places import SUPPORT
from tandem.http.application import Application
from tandem.http.requests import json_response
from tandem.http.routes import Route
from tandem.http.serving import serve
from tandem.http.sockets import ListenError

SERVER = SUPPORT / "stopping_server.py"
_NO_TIME = timedelta(0)


@asynccontextmanager
async def started(drain_seconds: float, wrapper: tuple[str, ...] = (), linger_seconds: float = 20):
    """The server's process and port. It lingers long, so that a test on a busy machine can ask once more."""
    command = (*wrapper, sys.executable, SERVER, str(drain_seconds), str(linger_seconds))
    process = await asyncio.create_subprocess_exec(*command, stdout=PIPE, stderr=PIPE)
    try:
        yield process, int(await process.stdout.readline())
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def connect(port: int, request: str):
    """A connection on which `request` was asked."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    await ask(writer, request)
    return reader, writer


async def ask(writer: asyncio.StreamWriter, request: str) -> None:
    writer.write(f"{request} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    await writer.drain()


async def until_refused(port: int) -> None:
    """Wait until the port takes no connections any more."""
    while True:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except ConnectionError:
            return
        writer.close()
        await asyncio.sleep(0.01)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_what_is_in_flight_is_answered_after_the_listening_socket_has_closed(number):
    async with started(drain_seconds=30) as (process, port):
        reader, writer = await connect(port, "GET /slow")
        assert await process.stdout.readline() == b"working\n"
        kept_reader, kept_writer = await connect(port, "GET /quick")
        await kept_reader.readuntil(b'"quick"')
        process.send_signal(number)
        await asyncio.wait_for(until_refused(port), 10)
        # A connection that was kept alive may have a request on its way: it is answered, and told to go.
        await ask(kept_writer, "POST /release")
        released = await kept_reader.read()
        assert released.startswith(b"HTTP/1.1 200 ")
        assert b"connection: close\r\n" in released.lower()
        answer = await reader.read()
        assert answer.endswith(b'"done"')
        process.send_signal(number)  # a second one, as Ctrl-C sends it to a whole group, hurries nothing
        assert await process.stdout.readline() == b"closed\n"
        assert await process.wait() == 0
        assert await process.stderr.read() == b""
        writer.close()
        kept_writer.close()


async def test_what_does_not_end_within_the_drain_time_is_told_so():
    async with started(drain_seconds=0.2) as (process, port):
        reader, writer = await connect(port, "GET /slow")
        assert await process.stdout.readline() == b"working\n"
        process.send_signal(signal.SIGTERM)
        answer = await reader.read()
        assert answer.startswith(b"HTTP/1.1 503 ")
        assert b"application/problem+json" in answer
        assert await process.stdout.readline() == b"closed\n"
        assert await process.wait() == 0
        writer.close()


@pytest.mark.parametrize(("drain", "rest", "status"), [(60, b'r"', b"200"), (0.1, b"", b"503")])
async def test_a_small_body_on_its_way_is_waited_for_as_long_as_answers(drain, rest, status):
    async def quick(_):
        return json_response("quick")

    ready, stop = asyncio.get_running_loop().create_future(), asyncio.Event()
    app = Application(
        [Route("POST", "/quick", quick, "Quick", body_type=str), Route("GET", "/quick", quick, "Quick")]
    )
    timing = {"stop": stop.wait, "drain": timedelta(seconds=drain), "on_ready": ready.set_result}
    server = asyncio.ensure_future(serve(app, ("127.0.0.1", 0), **timing))
    reader, writer = await asyncio.open_connection("127.0.0.1", await ready)
    writer.write(b"POST /quick HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n")
    writer.write(b'Content-Length: 4\r\n\r\n"q')
    await writer.drain()
    other_reader, other_writer = await connect(await ready, "GET /quick")
    await other_reader.readuntil(b'"quick"')
    other_writer.close()
    stop.set()
    await until_refused(await ready)
    writer.write(rest)
    assert (await reader.read()).startswith(b"HTTP/1.1 " + status)
    writer.close()
    await server


async def test_who_has_sent_half_a_head_does_not_make_the_end_last():
    async with started(drain_seconds=3_600, linger_seconds=0.1) as (process, port):
        halves = [await asyncio.open_connection("127.0.0.1", port) for _ in range(3)]
        for _, writer in halves:
            writer.write(b"GET /quick HT")
        reader, writer = await connect(port, "GET /quick")
        await reader.readuntil(b'"quick"')
        process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(60):
            assert await process.stdout.readline() == b"closed\n"
            assert await process.wait() == 0
        assert await process.stderr.read() == b""
        for _, half in [*halves, (reader, writer)]:
            half.close()


def open_files_of(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


async def test_where_few_files_may_be_open_connections_wait_until_others_close():
    few_files = ("sh", "-c", 'ulimit -n 320; exec "$@"', "sh")
    async with started(30, few_files) as (process, port):
        many = [await asyncio.open_connection("127.0.0.1", port) for _ in range(300)]
        assert open_files_of(process.pid) < 320
        for _, writer in many:
            writer.close()
        reader, writer = await connect(port, "GET /quick")
        await asyncio.wait_for(reader.readuntil(b'"quick"'), 60)
        writer.close()


async def test_a_port_that_is_taken_is_an_error_that_says_what_to_do():
    taken = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
    port = taken.sockets[0].getsockname()[1]
    with pytest.raises(ListenError, match=f"port {port}: another program uses it. Stop that one, or choose"):
        await serve(Application([]), ("127.0.0.1", port), stop=asyncio.Event().wait, drain=_NO_TIME)
    taken.close()


async def test_an_address_that_is_not_ours_is_an_error_that_says_so():
    with pytest.raises(ListenError, match="this machine has no such address"):
        await serve(Application([]), ("192.0.2.1", 0), stop=asyncio.Event().wait, drain=_NO_TIME)
