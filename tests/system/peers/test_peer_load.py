"""The load on a peer whose server answers in its own way. The adapter is that of Tandem."""

import msgspec
import pytest

from answering import Answering
from tandem_lab.bench.generator import Plan
from tandem_lab.bench.load import generate

CREATED = b"HTTP/1.1 201 Created\r\n"


def plan_for(port: int, **changes: object) -> Plan:
    plan = Plan("127.0.0.1", port, seconds=20, connections=3, requests=30, seed="load", peer="tandem")
    return msgspec.structs.replace(plan, **changes)


@pytest.mark.parametrize(
    ("answer", "then_close"),
    [
        pytest.param(CREATED + b"Content-Length: 2\r\n\r\n{}", False, id="sized"),
        pytest.param(
            CREATED + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n", False, id="chunked"
        ),
        pytest.param(CREATED + b"Connection: close\r\nContent-Length: 2\r\n\r\n{}", True, id="close"),
        pytest.param(b"HTTP/1.0 201 Created\r\nContent-Length: 2\r\n\r\n{}", True, id="http-1.0"),
        pytest.param(b"HTTP/1.0 201 Created\r\n\r\n{}", True, id="no-length"),
    ],
)
async def test_every_command_is_answered_whatever_the_server_makes_of_the_connection(answer, then_close):
    async with Answering(answer, then_close=then_close).serving() as server:
        outcome = await generate(plan_for(server.port))
    assert (outcome.answered, outcome.failed, outcome.statuses) == (30, 0, {"201": 30})
    assert server.requests == 30
    assert server.connections >= 30 if then_close else server.connections == 3
    assert outcome.ran_out


@pytest.mark.parametrize("rate", [None, 100.0])
async def test_a_server_that_hangs_up_without_a_word_fails_some_and_stops_nothing(rate):
    answer = CREATED + b"Content-Length: 2\r\n\r\n{}"
    async with Answering(answer, then_close=True).serving() as server:
        outcome = await generate(plan_for(server.port, rate=rate))
    assert outcome.answered + outcome.failed == outcome.sent == 30
    assert outcome.answered == server.requests >= 3


async def test_an_answer_that_acknowledges_nothing_is_a_failure():
    answer = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"
    async with Answering(answer, then_close=False).serving() as server:
        outcome = await generate(plan_for(server.port))
    assert (outcome.answered, outcome.failed, outcome.statuses) == (0, 30, {"503": 30})


async def test_a_server_that_speaks_something_else_is_no_reason_to_wait():
    async with Answering(b"SSH-2.0-OpenSSH_9.2\r\n\r\n", then_close=False).serving() as server:
        outcome = await generate(plan_for(server.port))
    assert (outcome.answered, outcome.failed) == (0, 30)


async def test_a_server_that_has_gone_is_tried_until_the_load_ends():
    """It answers once on each connection, and accepts no other."""
    answer = CREATED + b"Connection: close\r\nContent-Length: 2\r\n\r\n{}"
    async with Answering(answer, then_close=True, most_connections=3).serving() as server:
        outcome = await generate(plan_for(server.port, seconds=1, requests=1000))
    assert outcome.answered == 3
    assert outcome.failed >= 3
    assert not outcome.ran_out
