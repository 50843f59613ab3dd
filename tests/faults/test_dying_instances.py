"""An instance that dies, freezes or has the wrong time, at moments that are made certain."""

import signal
import subprocess

import pytest

from ledger import Load, check_agreement
from obstacles import failing_mongodb, locked, sessions_of
from waiting import until

OUT_OF_DISK_SPACE = 14031
USERS = 60
# Write-backs alone touch it.
STATISTICS = "prm_user_lag"


async def until_ready(served) -> None:
    async def is_ready() -> bool:
        return (await served.client.get("/health/ready")).status_code == 200

    await until(is_ready, f"{served.app_id} ready")


async def test_killed_before_mongodb_has_its_users_another_finishes_them(servers, system, serve):
    victim = await serve("victim", LEASE_SECONDS="2")
    async with failing_mongodb(servers, "victim", errorCode=OUT_OF_DISK_SPACE) as failpoint:
        async with Load([victim.client], USERS) as load:
            pass
        await failpoint.until_struck()
        await victim.kill()
        assert await system.users.count_documents({}) == 0
        await serve("survivor", LEASE_SECONDS="2")
        await system.until_synchronized(USERS)
    await check_agreement(system, load.acknowledged)


async def test_killed_between_mongodb_s_acknowledgement_and_its_record_another_records_it(system, serve):
    victim = await serve("victim", LEASE_SECONDS="2")

    async def all_are_in_mongodb() -> bool:
        return await system.users.count_documents({}) == USERS

    async with sessions_of(system) as sessions:
        async with locked(system, STATISTICS):
            async with Load([victim.client], USERS) as load:
                pass
            await until(all_are_in_mongodb, "all documents written")
            await sessions.until_waiting_for_lock("victim")
            documents = [document async for document in system.users.find()]
            await victim.kill()
            # What it has sent would still be carried out when the lock is gone.
            await sessions.terminate("victim")
        assert await system.count("select count(*) from prm_user where status = 'SYNCRONIZED'") == 0
        await serve("survivor", LEASE_SECONDS="2")
        await system.until_synchronized(USERS)
    assert [document async for document in system.users.find()] == documents
    await check_agreement(system, load.acknowledged)


@pytest.mark.parametrize("cleared", [False, True], ids=["beyond its lease", "until its row was cleared"])
async def test_frozen_while_another_finishes_its_users_it_takes_part_again(servers, system, serve, cleared):
    frozen = await serve("frozen", LEASE_SECONDS="2")
    async with failing_mongodb(servers, "frozen", errorCode=OUT_OF_DISK_SPACE) as failpoint:
        async with Load([frozen.client], USERS, seed="before") as before:
            pass
        await failpoint.until_struck()
        frozen.process.send_signal(signal.SIGSTOP)
        survivor = await serve("survivor", LEASE_SECONDS="2")
        await system.until_synchronized(USERS)
    if cleared:
        # As whoever starts does with instances whose lease ended more than an hour ago.
        await system.postgres.execute("delete from tandem_instance where app_id = 'frozen'")
    frozen.process.send_signal(signal.SIGCONT)

    async def lives() -> bool:
        return await system.count(
            "select count(*) from tandem_instance where app_id = 'frozen' and lease_until > now() and ready"
        )

    await until(lives, "a lease of the thawed instance")
    await until_ready(frozen)
    async with locked(system, STATISTICS):
        async with Load([frozen.client], USERS, seed="after") as after:
            pass
        alive = "select incarnation from tandem_instance where app_id = 'frozen' and lease_until > now()"
        owned = f"select count(*) from prm_user_pending where incarnation in ({alive})"
        assert await system.count(owned) == USERS
    await system.until_synchronized(2 * USERS)
    await survivor.terminate()
    await check_agreement(system, before.acknowledged | after.acknowledged)


def library_of(faketime: str) -> str:
    """What `faketime` has programs load; it would itself stay in between, and be what is killed."""
    return subprocess.check_output([faketime, "-f", "+0", "printenv", "LD_PRELOAD"], text=True).strip()


@pytest.mark.slow
@pytest.mark.parametrize("offset", ["+1h", "-1h"])
async def test_a_clock_an_hour_off_neither_steals_nor_keeps_a_lease(
    servers, system, serve, require_program, offset
):
    library = library_of(require_program("faketime", "faketime"))
    wrong = await serve("wrong", LEASE_SECONDS="2", LD_PRELOAD=library, FAKETIME=offset)
    right = await serve("right", LEASE_SECONDS="2")
    async with failing_mongodb(servers, errorCode=OUT_OF_DISK_SPACE):
        async with Load([wrong.client], USERS, seed="wrong") as of_wrong:
            pass
        async with Load([right.client], USERS, seed="right") as of_right:
            pass
        created = await system.postgres.fetchval("select max(created_at) from prm_user")

        async def both_have_renewed_beyond_their_first_lease() -> bool:
            late = "select count(*) from tandem_instance where lease_until > $1::timestamptz + interval '4 s'"
            return await system.count(late, created) == 2

        await until(both_have_renewed_beyond_their_first_lease, "two leases renewed")
        stolen = await system.count(
            "select count(*) from prm_user_pending p join prm_user u on u.id = p.user_id "
            "join tandem_instance i using (incarnation) where i.app_id <> u.app_id"
        )
        assert stolen == 0
        await wrong.kill()
    await system.until_synchronized(2 * USERS)
    taken_over = await system.count("select sum(taken_over) from prm_user_count where seed = 'wrong'")
    assert taken_over == USERS
    await check_agreement(system, of_wrong.acknowledged | of_right.acknowledged)
