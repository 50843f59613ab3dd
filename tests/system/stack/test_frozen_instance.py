"""nginx in front of real instances of which one is frozen (SIGSTOP): it accepts, and never answers."""

import asyncio
import signal
from pathlib import Path

import httpx
import pytest

from nginx_in_front import load_balancer, run_nginx
from upstreams import GET, KEYED, PLAIN, answer_not_ready, answer_ok, ask, asked, never_answer


@pytest.fixture
async def balanced(serve, tmp_path: Path):
    """Three instances behind nginx: (a client for it, the instances)."""
    instances = [await serve(f"instance-{number}") for number in (1, 2, 3)]
    ports = [served.client.base_url.port for served in instances]
    async with (
        run_nginx(tmp_path, ports) as port,
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=40) as client,
    ):
        yield client, instances


@pytest.mark.slow
async def test_reads_and_keyed_commands_are_answered_by_the_others(balanced, system):
    client, (frozen, *_) = balanced
    frozen.process.send_signal(signal.SIGSTOP)
    reads = [client.get("/api/v1/user-query?seed=frozen") for _ in range(12)]
    keyed = [
        client.post(
            "/api/v1/user-command?seed=frozen",
            json={"email": f"{number}@example.com"},
            headers={"Idempotency-Key": f"key-{number}"},
        )
        for number in range(12)
    ]
    answers = await asyncio.gather(*reads, *keyed)
    assert [answer.status_code for answer in answers] == [200] * 12 + [201] * 12
    # From now on nobody is kept waiting, with or without a key.
    plain = [client.post("/api/v1/user-command?seed=frozen", json={"email": "a@b.example"}) for _ in range(3)]
    assert [(await answer).status_code for answer in plain] == [201] * 3
    frozen.process.send_signal(signal.SIGCONT)
    await system.until_synchronized(15)


@pytest.mark.slow
async def test_a_command_without_a_key_is_waited_for_while_postgresql_is_slow(balanced, system):
    client, _ = balanced
    async with system.postgres.transaction():
        await system.postgres.execute("lock table prm_user in share mode")
        plain = asyncio.create_task(
            client.post("/api/v1/user-command?seed=slow", json={"email": "a@b.example"})
        )
        keyed = asyncio.create_task(
            client.post(
                "/api/v1/user-command?seed=slow",
                json={"email": "c@d.example"},
                headers={"Idempotency-Key": "slow"},
            )
        )
        # Longer than a first instance gets.
        await asyncio.sleep(3)
        assert not plain.done()
    assert [(await plain).status_code, (await keyed).status_code] == [201, 201]
    # The keyed one went to two instances, and created one user.
    await system.until_synchronized(2)


@pytest.mark.parametrize("request_text", [GET, KEYED])
async def test_who_does_not_answer_is_asked_once_and_then_left_out(place: Path, request_text: str):
    async with load_balancer(place, never_answer, answer_ok, answer_ok) as (port, upstreams):
        for _ in range(12):
            assert (await ask(port, request_text))[0] == 200
        assert len(asked(upstreams[:1])) == 1
        for _ in range(6):
            assert (await ask(port, PLAIN))[0] == 200
        assert len(asked(upstreams[:1])) == 1


@pytest.mark.slow
async def test_where_nobody_answers_all_are_asked_again_when_they_are_back(place: Path):
    frozen = [True]

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await (never_answer if frozen[0] else answer_ok)(reader, writer)

    async with load_balancer(place, behave, behave) as (port, upstreams):
        status, headers, _ = await ask(port, GET)
        assert (status, headers["retry-after"]) == (504, "1")
        frozen[0] = False
        # Both have just been left out.
        assert [len(asked([upstream])) for upstream in upstreams] == [1, 1]
        for request_text in (GET, KEYED, PLAIN):
            assert (await ask(port, request_text))[0] == 200


@pytest.mark.slow
@pytest.mark.parametrize("request_text", [GET, KEYED])
async def test_who_prefers_to_wait_is_waited_for_at_once(place: Path, request_text: str):
    """And costs that instance nothing: it is no sign of being frozen."""

    async def answer_after_two_seconds(reader, writer) -> None:
        await asyncio.sleep(2)
        await answer_ok(reader, writer)

    waiting = request_text.replace("\r\n\r\n", "\r\nPrefer: wait=5\r\n\r\n", 1)
    async with load_balancer(place, answer_after_two_seconds, answer_after_two_seconds) as (port, upstreams):
        for _ in range(2):
            assert (await ask(port, waiting))[::2] == (200, b"fine")
        assert len(asked(upstreams)) == 2


@pytest.mark.slow
async def test_a_slow_answer_is_waited_for_at_the_second_instance(place: Path):
    async def slowly(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(3)
        await answer_ok(reader, writer)

    async with load_balancer(place, slowly, slowly) as (port, upstreams):
        assert (await ask(port, GET))[0] == 200
        assert len(asked(upstreams)) == 2
        assert (await ask(port, PLAIN))[0] == 200
        assert len(asked(upstreams)) == 3


@pytest.mark.slow
async def test_a_command_without_a_key_is_sent_to_nobody_else_and_its_client_is_told(place: Path):
    async with load_balancer(place, never_answer, never_answer) as (port, upstreams):
        status, headers, body = await ask(port, PLAIN)
        assert status == 504
        assert "retry-after" not in headers
        assert b"may have been carried out" in body
        assert len(asked(upstreams)) == 1


@pytest.mark.parametrize("behaviours", [[answer_not_ready], [answer_not_ready] * 2, [answer_not_ready] * 3])
async def test_the_refusal_of_all_instances_is_passed_on_however_often(place: Path, behaviours):
    async with load_balancer(place, *behaviours) as (port, _):
        for request_text in (GET, KEYED, PLAIN) * 4:
            status, _, body = await ask(port, request_text)
            assert (status, body) == (503, b"no.")
