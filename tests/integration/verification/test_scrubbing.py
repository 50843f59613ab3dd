"""The scrubber: all ids again and again, shared by all instances, for a share of the processor."""

import asyncio
import time

import pytest

from systems import commands, create
from tandem.app import run_instance
from tandem.ids import HIGHEST_ID
from tandem.verification.cpu_share import CpuShare
from verifying import state_of
from waiting import until

ALL = 100.0


@pytest.fixture
def quick(system):
    """Settings of instances whose scrubbers may take a whole processor."""
    return lambda app_id="instance-1", **more: system.settings(app_id, scrub_cpu_percent=ALL, **more)


async def until_found(system, **counts) -> None:
    """Wait until the last verification of every chunk of users adds up to this."""

    async def is_found() -> bool:
        state = await state_of(system)
        return state is not None and all(state[name] == count for name, count in counts.items())

    await until(is_found, f"verified: {counts}")


async def again(system) -> None:
    """Let no chunk be too young for the next look."""
    await system.postgres.execute("update tandem_verified set claimed_at = claimed_at - interval '1 h'")


async def test_it_finds_what_differs_and_forgets_it_when_it_is_equal_again(system, quick):
    async with run_instance(quick()) as instance:
        users = await create(instance, commands(20))
        await system.until_synchronized(20)
        await until_found(system, checked=20, equal=20, is_whole=True)
        before = await system.users.find_one({"_id": users[0].id})
        await system.users.delete_one({"_id": users[0].id})
        await system.users.insert_one({"_id": "text"})
        await again(system)
        await until_found(system, checked=21, equal=19, missing=1, surplus=1)
        await system.users.insert_one(before)
        await system.users.delete_one({"_id": "text"})
        await again(system)
        await until_found(system, checked=20, equal=20, missing=0, surplus=0)
        assert instance.scrubber.verified["user"] >= 61
        assert await instance.adapters.repairs.last(1) == []


async def test_where_it_may_it_has_repaired_what_it_finds(system, quick):
    async with run_instance(quick(scrub_repair=True)) as instance:
        users = await create(instance, commands(5))
        await system.until_synchronized(5)
        await system.users.update_one({"_id": users[0].id}, {"$set": {"gender": "wrong"}})
        await until_found(system, differing=1)

        async def is_repaired() -> bool:
            found = await instance.adapters.repairs.last(1)
            return bool(found) and found[0].repaired_at is not None and found[0].reason == "scrubber"

        await until(is_repaired, "a repair by the scrubber")
        await again(system)
        await until_found(system, equal=5, differing=0)


async def test_ids_are_cut_into_chunks_that_instances_share(system, quick, monkeypatch):
    monkeypatch.setattr("tandem.app.bootstrap.ROWS_A_CHUNK", 10)
    async with run_instance(quick()) as first, run_instance(quick("instance-2")) as second:
        await create(first, commands(95))
        await system.until_synchronized(95)
        await again(system)
        await until_found(system, checked=95, equal=95, is_whole=True)
        rows = await system.postgres.fetch("select after, through from tandem_verified order by after")
        assert [row["after"] for row in rows[1:]] == [row["through"] for row in rows[:-1]]
        assert (rows[0]["after"], rows[-1]["through"]) == (0, HIGHEST_ID)
        assert len(rows) == 10

        async def both_have_worked() -> bool:
            await again(system)
            return min(first.scrubber.verified["user"], second.scrubber.verified["user"]) > 0

        await until(both_have_worked, "work of both instances")


async def test_the_chunk_of_an_instance_that_died_is_taken_by_another(system, quick):
    dead = await system.count(
        "insert into tandem_instance (app_id, lease_until) values ('dead', now() + '1 h') "
        "returning incarnation"
    )
    claim = "insert into tandem_verified (kind, after, through, incarnation) values ('user', 0, $1, $2)"
    await system.postgres.execute(claim, HIGHEST_ID, dead)
    async with run_instance(quick()) as instance:
        await create(instance, commands(3))
        await system.until_synchronized(3)
        assert (
            await instance.adapters.chunks.claim(instance.adapters.lease.incarnation, 0, differing=False)
            is None
        )
        await system.postgres.execute("update tandem_instance set lease_until = now() where app_id = 'dead'")
        await until_found(system, checked=3, is_whole=True)


async def test_with_no_share_it_does_nothing(system):
    async with run_instance(system.settings(scrub_cpu_percent=0)) as instance:
        await instance.background._scrub()
        assert not instance.scrubber.is_on
    assert await system.count("select count(*) from tandem_verified") == 0


async def test_a_share_rests_for_what_its_work_has_cost_and_not_for_its_waiting():
    share = CpuShare(50)

    async def work() -> str:
        began = time.thread_time()
        while time.thread_time() - began < 0.02:
            pass
        await asyncio.sleep(0)
        return "done"

    began = time.thread_time()
    assert await share.run(work()) == "done"
    assert 0.02 <= share.spent <= time.thread_time() - began


async def test_what_is_measured_is_cancelled_and_fails_as_anything_else():
    share = CpuShare(50)
    seen = []

    async def waits() -> None:
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            seen.append("cancelled")
            raise

    task = asyncio.create_task(share.run(waits()))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert seen == ["cancelled"]

    async def fails() -> None:
        await asyncio.sleep(0)
        raise KeyError("it")

    with pytest.raises(KeyError, match="it"):
        await share.run(fails())
