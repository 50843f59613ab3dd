"""A rebuild while users are created, changed, deleted and read, and builder and instances are killed."""

import asyncio
import os
import sys

import pytest

from command_line import TANDEM, run_tandem
from following import Followed
from generations import versions_in
from systems import commands, create
from tandem.app import run_instance
from tandem_lab.strikes import stopped
from waiting import until

USERS_BEFORE = 3_000


def owners(system) -> dict[str, str]:
    return {"POSTGRES_URL": system.urls.postgres_owner_url, "MONGODB_URL": system.urls.mongodb_owner_url}


async def begin_rebuild(system, *arguments: str) -> asyncio.subprocess.Process:
    """`tandem rebuild` as a process."""
    return await asyncio.create_subprocess_exec(
        *TANDEM, "rebuild", *arguments, env=os.environ | owners(system), stderr=sys.stderr
    )


async def rebuilt(system, *arguments: str) -> None:
    """`tandem rebuild`, to its end."""
    code, said = await run_tandem("rebuild", *arguments, **owners(system))
    assert code == 0, said


async def _copied_through(system) -> int:
    return await system.count("select coalesce(max(copied_through), 0) from tandem_projection")


@pytest.mark.slow
async def test_no_read_fails_or_is_stale_while_everything_is_rebuilt_and_killed(system, serve):
    async with run_instance(system.settings("before")) as instance:
        await create(instance, commands(USERS_BEFORE))
        await system.until_synchronized(USERS_BEFORE)
    served = [await serve(f"instance-{number}") for number in (1, 2, 3)]
    clients = [each.client for each in served]
    async with Followed(clients, clients[:2]) as load:
        await load.more(200)
        builder = await begin_rebuild(system, "--pace", "500")
        await until(lambda: _has_copied(system), "some were copied")
        builder.kill()
        await builder.wait()
        through = await _copied_through(system)
        await served[2].kill()
        await load.more(200)
        await rebuilt(system)
        assert through > 0
        await load.more(300)
        await rebuilt(system, "--back")
        await load.more(300)
        await rebuilt(system, "--back")
        await load.more(300)
        await rebuilt(system, "--drop")
        await load.more(300)
    assert load.failed == []
    assert load.stale == []
    await until(lambda: _nothing_pending(system), "nothing pending")
    code, said = await run_tandem("verify", **owners(system))
    assert code == 0, said
    assert await system.count("select live from tandem_projection") == 2
    assert await versions_in(system, "users") == {}


async def _has_copied(system) -> bool:
    return await _copied_through(system) > 0


async def _nothing_pending(system) -> bool:
    return await system.count("select count(*) from prm_user_pending") == 0


@pytest.mark.slow
async def test_an_instance_that_was_frozen_through_switch_and_drop_shows_nothing_old(system, serve):
    awake, frozen = [await serve(f"instance-{number}") for number in (1, 2)]
    created = await awake.client.post(
        "/api/v1/user-command?seed=run", json={"email": "a@b"}, headers={"Prefer": "wait=10"}
    )
    user_id = int(created.headers["location"].rsplit("/", 1)[1])
    assert (await frozen.client.get(f"/api/v1/user-query/{user_id}")).status_code == 200
    paths = [f"/api/v1/user-query/{user_id}", "/api/v1/user-query", "/api/v1/user-query/email?email=a@b"]
    paths.append("/api/v1/user-query/search?email=a@b")
    with stopped(frozen.process.pid):
        await rebuilt(system)
        await awake.client.patch(
            f"/api/v1/user-command/{user_id}", json={"phone": "later"}, headers={"Prefer": "wait=10"}
        )
        await rebuilt(system, "--drop")
        reads = [asyncio.create_task(frozen.client.get(path)) for path in paths]
        await asyncio.sleep(0)
    for answer in await asyncio.gather(*reads):
        assert answer.status_code == 200, answer.text
        assert '"phone":"later"' in answer.text
