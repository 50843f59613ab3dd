"""The relay that delays: nothing is lost, changed or sooner than it may be."""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

import asyncpg
import pytest
from pymongo import AsyncMongoClient

from proxy import port_of
from tandem_lab.delay import delaying, parse_delays
from tandem_stack.ports import free_port

Reader, Writer = asyncio.StreamReader, asyncio.StreamWriter
MUCH = random.Random(0).randbytes(40_000_003)  # more than may be on its way


async def echo(reader: Reader, writer: Writer) -> None:
    """Says everything back, and something more when all is said."""
    while chunk := await reader.read(65_536):
        writer.write(chunk)
        await writer.drain()
    writer.write(b"that was all")
    writer.close()


@asynccontextmanager
async def delayed(
    serve: Callable[[Reader, Writer], Awaitable[None]], seconds: float
) -> AsyncIterator[tuple[Reader, Writer]]:
    """A connection to this server over a relay."""
    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        async with delaying({port: seconds}) as ways:
            reader, writer = await asyncio.open_connection("127.0.0.1", ways[port])
            yield reader, writer
            writer.close()


async def test_an_answer_takes_at_least_the_delay():
    async with delayed(echo, 0.05) as (reader, writer):
        for _ in range(5):
            began = time.monotonic()
            writer.write(b"ping")
            assert await reader.readexactly(4) == b"ping"
            assert time.monotonic() - began >= 0.05


async def test_much_arrives_in_order_and_unchanged_and_one_direction_may_end_before_the_other():
    async with delayed(echo, 0.004) as (reader, writer):

        async def send() -> None:
            writer.write(MUCH)
            await writer.drain()
            writer.write_eof()

        sending = asyncio.create_task(send())
        assert await reader.read(-1) == MUCH + b"that was all"
        await sending


async def test_what_was_sent_before_is_still_on_its_way_when_more_is_sent():
    """So many messages after each other would take a minute, if each waited for the one before."""
    async with delayed(echo, 0.2) as (reader, writer):
        async with asyncio.timeout(30):
            for number in range(300):
                writer.write(b"%09d\n" % number)
                await asyncio.sleep(0)
            assert [int(await reader.readline()) for _ in range(300)] == list(range(300))


async def test_the_server_learns_that_a_client_is_gone():
    gone = asyncio.Event()

    async def serve(reader: Reader, writer: Writer) -> None:
        with suppress(ConnectionError):
            await reader.read(-1)
        gone.set()
        writer.close()

    async with delayed(serve, 0.01) as (_, writer):
        writer.write(b"hello")
        writer.transport.abort()
        async with asyncio.timeout(30):
            await gone.wait()


async def test_the_client_learns_that_the_server_is_gone_or_was_never_there():
    async def serve(reader: Reader, writer: Writer) -> None:
        await reader.readline()
        writer.write(b"my last words")
        writer.close()

    async with delayed(serve, 0.01) as (reader, writer):
        writer.write(b"end\n")
        assert await reader.read(-1) == b"my last words"
    nobody = free_port()
    async with delaying({nobody: 0.01}) as ways:
        reader, writer = await asyncio.open_connection("127.0.0.1", ways[nobody])
        assert await reader.read(-1) == b""
        writer.close()


async def test_both_drivers_stay_on_the_relay(databases):
    postgres_url, mongodb_url = databases.postgres_owner_url, databases.mongodb_owner_url
    ports = port_of(postgres_url), port_of(mongodb_url)
    async with delaying(dict.fromkeys(ports, 0.05)) as ways:
        postgres = await asyncpg.connect(postgres_url.replace(f":{ports[0]}/", f":{ways[ports[0]]}/"))
        async with AsyncMongoClient(mongodb_url.replace(f":{ports[1]}/", f":{ways[ports[1]]}/")) as mongodb:
            for ask in (lambda: postgres.fetchval("select 1"), lambda: mongodb.admin.command("ping")):
                await ask()
                began = time.monotonic()
                await ask()
                assert time.monotonic() - began >= 0.05
        await postgres.close()


@pytest.mark.parametrize(
    "text", ["", "postgres", "redis=2ms", "postgres=2", "mongodb=1.2.3ms", "postgres=60s"]
)
def test_what_is_no_delay_is_refused_with_what_is_expected(text):
    with pytest.raises(ValueError, match=r"postgres=2ms|at most 10 s"):
        parse_delays(text)


def test_delays_are_read_in_their_units():
    assert parse_delays("postgres=2ms, mongodb=500us") == {"postgres": 0.002, "mongodb": 0.0005}
