"""Who watches a run sees what breaks, and what becomes of it."""

import asyncio
import signal

import pytest

from obstacles import failing_mongodb, locked, sessions_of
from watching import instance_in, watch

URL = "/api/v1/user-command?seed=watched"
# More samples than it may take until a death is seen: one is a second.
SOON = 3


async def post(client, users: int) -> None:
    for number in range(users):
        assert (await client.post(URL, json={"email": f"{number}@example.com"})).status_code == 201


async def test_a_killed_instance_is_seen_to_be_gone_and_who_took_over_its_users(servers, serve):
    victim = await serve("victim", LEASE_SECONDS="2")
    survivor = await serve("survivor", LEASE_SECONDS="2")
    async with watch(survivor.client, "watched") as watching:
        async with failing_mongodb(servers, "victim", errorCode=91):
            await post(victim.client, 5)
            await watching.until(lambda event: instance_in(event, "victim")["pending"] == 5)
            await victim.kill()
            states = [instance_in(await watching.next(), "victim")["state"] for _ in range(SOON)]
        assert "gone" in states
        # The heir says whom it took over from with its next renewal, up to a second later.
        event = (await watching.until(lambda event: instance_in(event, "survivor")["tookOverFrom"]))[-1]
        event = (await watching.until(lambda event: event["pending"] == 0))[-1]
        gone, heir = instance_in(event, "victim"), instance_in(event, "survivor")
    assert (gone["state"], gone["total"], gone["synchronized"], gone["takenOver"]) == ("gone", 5, 5, 5)
    assert (heir["state"], heir["total"], heir["tookOverFrom"]) == ("ready", 0, {"victim": 5})


async def test_an_instance_that_comes_back_is_another_life(servers, serve):
    survivor, victim = await serve("survivor"), await serve("victim")
    async with watch(survivor.client, "watched") as watching:
        before = instance_in(await watching.next(), "victim")
        await victim.kill()
        await watching.until(lambda event: instance_in(event, "victim")["state"] == "gone")
        await serve("victim")
        event = (await watching.until(lambda event: instance_in(event, "victim")["state"] == "ready"))[-1]
    assert instance_in(event, "victim")["incarnation"] > before["incarnation"]
    assert len(event["instances"]) == 2


async def test_a_frozen_instance_is_silent_until_it_goes_on(serve):
    frozen, awake = await serve("frozen"), await serve("awake")
    async with watch(awake.client, "watched") as watching:
        frozen.process.send_signal(signal.SIGSTOP)
        try:
            event = (await watching.until(lambda event: instance_in(event, "frozen")["state"] == "silent"))[
                -1
            ]
            assert instance_in(event, "frozen")["silentSeconds"] >= 2
        finally:
            frozen.process.send_signal(signal.SIGCONT)
        await watching.until(lambda event: instance_in(event, "frozen")["state"] == "ready")


async def test_users_in_flight_are_accepted_before_they_are_stored(system, serve):
    served = await serve("instance-1")
    async with watch(served.client, "watched") as watching, sessions_of(system) as sessions:
        async with locked(system, "prm_user"):
            waiting = [asyncio.create_task(post(served.client, 1)) for _ in range(3)]
            await sessions.until_waiting_for_lock("instance-1")
            event = (await watching.until(lambda event: event["stages"]["accepted"] == 3))[-1]
            assert event["stages"]["stored"] == 0
        await asyncio.gather(*waiting)
        await watching.until(lambda event: set(event["stages"].values()) == {3})


async def test_users_that_mongodb_has_are_projected_before_they_are_synchronized(system, serve):
    served = await serve("instance-1")
    async with watch(served.client, "watched") as watching:
        async with locked(system, "prm_user_lag"):
            await post(served.client, 3)
            event = (await watching.until(lambda event: event["stages"]["projected"] == 3))[-1]
            assert event["stages"]["synchronized"] == 0
            assert event["pending"] == 3
            assert event["oldestPendingSeconds"] > 0
        await watching.until(lambda event: set(event["stages"].values()) == {3})


async def test_a_postgresql_that_keeps_us_waiting_is_down_and_the_last_numbers_stay(system, serve):
    served = await serve("instance-1")
    async with watch(served.client, "watched") as watching:
        await post(served.client, 3)
        await watching.until(lambda event: event["stages"]["synchronized"] == 3)
        async with locked(system, "prm_run_sample"):
            event = (await watching.until(lambda event: event["databases"]["postgresql"] == "down"))[-1]
            assert event["stages"]["synchronized"] == 3
            assert event["databases"]["mongodb"] == "up"
        await watching.until(lambda event: event["databases"]["postgresql"] == "up")


@pytest.mark.slow
async def test_either_database_is_seen_to_go_and_to_come_back(own_servers, serve_own):
    served = await serve_own("instance-1")
    async with watch(served.client, "watched") as watching:
        await post(served.client, 3)
        await watching.until(lambda event: event["stages"]["synchronized"] == 3)
        for name, server, how in (
            ("mongodb", own_servers.mongodb_server, signal.SIGKILL),
            ("postgresql", own_servers.postgres_server, signal.SIGQUIT),
        ):
            server.process.send_signal(how)
            await server.process.wait()
            event = (await watching.until(lambda event, name=name: event["databases"][name] == "down"))[-1]
            assert set(event["stages"].values()) == {3}
            assert list(event["databases"].values()).count("up") == 1
            await server.start()
            await watching.until(lambda event, name=name: event["databases"][name] == "up")
