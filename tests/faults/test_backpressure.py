"""What an instance cannot pass on does not fill its memory, and nothing of it is lost."""

import asyncio
import signal

import msgspec
import psutil
import pytest

from ledger import check_databases, send
from obstacles import locked, sessions_of
from tandem.random_users import random_users
from waiting import until

# A user that is held in memory takes about 2,800 bytes. What is left is noise: caches, fragments.
MOST_BYTES_A_USER = 400
USERS_OF_WARM_UP = 2_000
USERS_OF_LOAD = 10_000
LONGEST_LOAD = "600s"

WRK_SCRIPT = """
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
wrk.body = [==[%s]==]
"""


def rss_bytes(pid: int) -> int:
    return int(psutil.Process(pid).memory_info().rss)


async def test_commands_beyond_the_queue_are_told_to_come_again_and_the_others_are_created(system, serve):
    client = (await serve(MAX_WAITING_COMMANDS="50", MAX_BATCH="10")).client
    async with locked(system, "prm_user_pending"), sessions_of(system) as sessions:
        first = [asyncio.create_task(send(client, b'{"email": "a@example.com"}')) for _ in range(20)]
        await sessions.until_waiting_for_lock("instance-1")
        many = [asyncio.create_task(send(client, b'{"email": "b@example.com"}')) for _ in range(150)]

        async def enough_are_refused() -> bool:
            return sum(task.done() for task in many) >= 80

        await until(enough_are_refused, "commands refused while others wait")
        early = [task.result() for task in many if task.done()]
        assert {answer.status_code for answer in early} == {503}
        assert all(answer.headers["retry-after"] == "1" for answer in early)
        ready = await client.get("/health/ready")
        assert ready.status_code == 503
    answers = [await task for task in [*first, *many]]
    created = [answer for answer in answers if answer.status_code == 201]
    assert len(created) + sum(answer.status_code == 503 for answer in answers) == 170
    assert 50 <= len(created) <= 90
    assert (await client.get("/health/ready")).status_code == 200
    await system.until_synchronized(len(created))
    await check_databases(system)


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_while_mongodb_is_away_commands_go_on_and_memory_stays_flat(
    own_servers, own_system, serve_own, require_program, tmp_path
):
    wrk = require_program("wrk", "wrk")
    served = await serve_own(MAX_IN_PROJECTION="2000")
    (user,) = random_users("backpressure", 0, 1)
    script = tmp_path / "post.lua"
    script.write_text(WRK_SCRIPT % msgspec.json.encode(user).decode())

    async def load(users: int) -> int:
        """Send at full rate until at least so many are stored; how many are."""
        before = await own_system.count("select count(*) from prm_user")

        async def are_stored() -> bool:
            return await own_system.count("select count(*) from prm_user") >= before + users

        url = f"{served.client.base_url}/api/v1/user-command?seed=load"
        process = await asyncio.create_subprocess_exec(
            wrk, "-t1", "-c64", f"-d{LONGEST_LOAD}", "-s", script, url, stdout=asyncio.subprocess.DEVNULL
        )
        await until(are_stored, f"{users} users stored")
        process.send_signal(signal.SIGINT)
        assert await process.wait() == 0
        return await own_system.count("select count(*) from prm_user") - before

    own_servers.mongodb_server.process.send_signal(signal.SIGSTOP)
    try:
        # What is measured is what memory grows by once it is full.
        await load(USERS_OF_WARM_UP)
        before = rss_bytes(served.process.pid)
        accepted = await load(USERS_OF_LOAD)
        grown = rss_bytes(served.process.pid) - before
    finally:
        own_servers.mongodb_server.process.send_signal(signal.SIGCONT)
    assert grown / accepted < MOST_BYTES_A_USER

    async def nothing_is_pending() -> bool:
        return not await own_system.postgres.fetchval("select exists (select from prm_user_pending)")

    await until(nothing_is_pending, "the backlog drained")
    users = await own_system.count("select count(*) from prm_user")
    assert users >= accepted
    assert await own_system.users.count_documents({}) == users
    events = "select count(*) from prm_user_event where event_type = 'SYNCRONIZED'"
    assert await own_system.count(events) == users
