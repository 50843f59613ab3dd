"""Versions when things go wrong: late writes, dead instances, frozen databases."""

import asyncio
import random
import signal
from contextlib import suppress
from dataclasses import replace

import httpx
import msgspec
import pytest

from systems import Held, commands, create
from tandem.app import run_instance
from tandem.cqrs import DeleteUserCommand, UpdateUserCommand
from tandem.delivery.contest import Overtaken
from tandem.delivery.flow_state import FlowStates
from tandem.user.stored import uptime
from tandem.user_query.service import LONGEST_WAY_SECONDS
from waiting import until


def holding(method: str, gate: asyncio.Event):
    return lambda adapters: replace(adapters, documents=Held(adapters.documents, method, gate))


async def update(instance, user_id: int, **patch):
    return (await instance.flow.commands.execute(UpdateUserCommand(user_id, patch))).user


async def delete(instance, user_id: int, *, erase: bool = False):
    return (await instance.flow.commands.execute(DeleteUserCommand(user_id, erase))).user


async def until_version(system, user_id: int, version: int) -> dict:
    found: list[dict] = []

    async def is_there() -> bool:
        document = await system.users.find_one({"_id": user_id})
        if document is not None:
            found.append(document)
        pending = await system.count("select count(*) from prm_user_pending where user_id = $1", user_id)
        return document is not None and document["version"] == version and pending == 0

    await until(is_there, f"version {version} of user {user_id}")
    return found[-1]


async def test_a_late_first_version_brings_no_deleted_user_back(system, instance):
    (user,) = await create(instance, commands(1))
    await until_version(system, user.id, 1)
    await delete(instance, user.id)
    tombstone = await until_version(system, user.id, 2)
    (late,) = await instance.flow.query_service.create([msgspec.structs.replace(user, read_at=uptime())])
    assert (late.refusal, late.is_skipped) == (None, False)
    assert await system.users.find_one({"_id": user.id}) == tombstone


async def test_a_late_update_brings_no_deleted_user_back(system):
    """The update waits for MongoDB in one instance, while another deletes the user."""
    gate = asyncio.Event()
    async with (
        run_instance(system.settings("slow"), holding("write_later_versions", gate)) as slow,
        run_instance(system.settings("fast")) as fast,
    ):
        (user,) = await create(fast, commands(1))
        await until_version(system, user.id, 1)
        await update(slow, user.id, phone="late")
        await delete(fast, user.id)
        tombstone = await until_version(system, user.id, 3)
        gate.set()
        await slow.flow.commands.drain(within=slow.flow._drain_time)
        assert await system.users.find_one({"_id": user.id}) == tombstone
        assert "phone" not in tombstone
    events = await system.postgres.fetch(
        "select version from prm_user_event where event_type = 'SYNCRONIZED' order by version"
    )
    assert [event["version"] for event in events] == [1, 3]


@pytest.mark.parametrize("what", ["create", "change"])
async def test_what_was_on_its_way_for_too_long_is_read_again(system, instance, what):
    (user,) = await create(instance, commands(1))
    await until_version(system, user.id, 1)
    await system.users.delete_one({"_id": user.id})
    old = msgspec.structs.replace(user, read_at=uptime() - LONGEST_WAY_SECONDS - 1)
    (outcome,) = await getattr(instance.flow.query_service, what)([old])
    assert outcome.is_skipped
    assert await system.users.find_one({"_id": user.id}) is None


async def test_tombstones_are_removed_by_mongodb_and_users_are_not(system, instance):
    indexes = await system.users.index_information()
    (ttl,) = [index for index in indexes.values() if "expireAfterSeconds" in index]
    assert ttl["key"] == [("deletedAt", 1)]
    assert ttl["expireAfterSeconds"] > 10 * LONGEST_WAY_SECONDS
    (user,) = await create(instance, commands(1))
    assert "deletedAt" not in await until_version(system, user.id, 1)
    await delete(instance, user.id)
    assert (await until_version(system, user.id, 2))["deletedAt"] is not None


async def test_an_heir_brings_the_newest_version(system):
    """An instance dies with a created, an updated and a deleted user, of which MongoDB has nothing yet."""
    closed = asyncio.Event()

    def nothing_arrives(adapters):
        documents = Held(Held(adapters.documents, "write", closed), "write_later_versions", closed)
        return replace(adapters, documents=documents)

    async with run_instance(system.settings("dying", drain_seconds=0.01), nothing_arrives) as dying:
        kept, changed, lost = await create(dying, commands(3))
        await update(dying, changed.id, phone="2")
        await update(dying, changed.id, phone="3")
        await update(dying, lost.id, phone="2")
        await delete(dying, lost.id)
    async with run_instance(system.settings("heir")):
        assert (await until_version(system, kept.id, 1))["email"] == kept.profile.email
        assert (await until_version(system, changed.id, 3))["phone"] == "3"
        assert "email" not in await until_version(system, lost.id, 3)
    acknowledged = await system.postgres.fetch(
        "select user_id, version, app_id from prm_user_event where event_type = 'SYNCRONIZED'"
    )
    assert sorted(map(tuple, acknowledged)) == [
        (kept.id, 1, "heir"),
        (changed.id, 3, "heir"),
        (lost.id, 3, "heir"),
    ]


async def test_a_dead_letter_is_retried_with_the_newest_version(system, instance):
    await system.mongodb.get_default_database().command(
        "collMod", "users", validator={"phone": {"$ne": "bad"}}, validationLevel="strict"
    )
    (user,) = await create(instance, commands(1))
    await until_version(system, user.id, 1)
    await update(instance, user.id, phone="bad")

    async def letters(count: int) -> None:
        async def is_so() -> bool:
            return await system.count("select count(*) from prm_user_dead_letter") == count

        await until(is_so, f"{count} dead letters")

    await letters(1)
    assert await system.count("select version from prm_user_dead_letter") == 2
    await update(instance, user.id, phone="good")
    assert (await until_version(system, user.id, 3))["phone"] == "good"
    await letters(0)
    await update(instance, user.id, phone="bad")
    await letters(1)
    await system.mongodb.get_default_database().command("collMod", "users", validator={})
    assert await instance.adapters.dead_letters.retry(user.id) == 1
    assert (await until_version(system, user.id, 4))["phone"] == "bad"
    pending = "select sum(total - synchronized - dead_letters) from prm_user_count"
    assert await system.count(pending) == 0


async def test_another_person_under_the_id_is_never_acknowledged(system, instance):
    (user,) = await create(instance, commands(1))
    await until_version(system, user.id, 1)
    for version in (1, 2):
        await system.users.replace_one(
            {"_id": user.id}, {"seed": "another history", "version": version, "email": "other@example.com"}
        )
        await update(instance, user.id, phone=f"after {version}")

        async def is_dead() -> bool:
            return await system.count("select count(*) from prm_user_dead_letter where version > 1") == 1

        await until(is_dead, "an identity conflict")
        error = await system.postgres.fetchval("select error from prm_user_dead_letter")
        assert error.startswith("identity conflict: ")
        assert "--replace" in error
        assert (await system.users.find_one({"_id": user.id}))["email"] == "other@example.com"
    assert await system.count("select count(*) from prm_user_event where event_type = 'SYNCRONIZED'") == 1


async def test_a_user_that_another_transaction_has_locked_holds_up_nobody_else(system, instance):
    locked, free = await create(instance, commands(2))
    await until_version(system, locked.id, 1)
    await until_version(system, free.id, 1)
    async with system.postgres.transaction():
        await system.postgres.execute("select from prm_user where id = $1 for update", locked.id)
        held = asyncio.create_task(update(instance, locked.id, phone="2"))
        assert (await update(instance, free.id, phone="2")).version == 2
        with pytest.raises(Overtaken):
            await held
    assert (await update(instance, locked.id, phone="2")).version == 2


class ReaderOfItsWrites:
    """Changes one user, and asks every instance for each version right after it was answered."""

    def __init__(self, instances: dict, user_id: int) -> None:
        self.instances = instances
        self.reads = 0
        self.sources: set[str] = set()
        self._user_id = user_id
        self._stopped = asyncio.Event()

    async def run_until(self, reads: int) -> None:
        number = 0
        while self.reads < reads or not self._stopped.is_set():
            number += 1
            answer = await self._send(number)
            if answer is not None and answer.status_code == 200:
                await asyncio.gather(
                    *(self._read(name, answer.json()["version"], str(number)) for name in self.instances)
                )

    def stop(self) -> None:
        self._stopped.set()

    async def _send(self, number: int):
        writer = random.choice(list(self.instances.values()))
        path, key = f"/api/v1/user-command/{self._user_id}", {"Idempotency-Key": f"w {number}"}
        with suppress(httpx.TransportError):
            return await writer.client.patch(path, json={"phone": str(number)}, headers=key)

    async def _read(self, name: str, version: int, text: str) -> None:
        path = f"/api/v1/user-query/{self._user_id}?version={version}"
        wait = {"Prefer": f"wait={random.choice((0, 1))}"}
        try:
            answer = await self.instances[name].client.get(path, headers=wait)
        except httpx.TransportError:
            return
        if answer.status_code == 503:
            return
        assert answer.status_code == 200, answer.text
        self.reads += 1
        self.sources.add(answer.headers["tandem-source"])
        assert (answer.json()["version"], answer.json()["phone"]) == (version, text)


@pytest.mark.slow
async def test_nobody_who_names_a_version_reads_an_older_one(own_servers, serve_own):
    """Instances are killed meanwhile, and MongoDB is frozen."""
    names = ["instance-1", "instance-2", "instance-3"]
    served = {name: await serve_own(name, LEASE_SECONDS="2") for name in names}
    created = await served[names[0]].client.post("/api/v1/user-command?seed=w", json={"email": "a@b"})
    reader = ReaderOfItsWrites(served, created.json()["id"])

    async def make_trouble() -> None:
        for _ in range(2):
            for name in names[:2]:
                await asyncio.sleep(1)
                await served[name].kill()
                served[name] = await serve_own(name, LEASE_SECONDS="2")
            own_servers.mongodb_server.process.send_signal(signal.SIGSTOP)
            await asyncio.sleep(1.5)
            own_servers.mongodb_server.process.send_signal(signal.SIGCONT)
        reader.stop()

    await asyncio.gather(reader.run_until(2_000), make_trouble())
    assert reader.sources == {"MongoDB", "PostgreSQL"}


@pytest.mark.slow
async def test_both_sources_answer_byte_for_byte_the_same(own_servers, serve_own):
    one, two = await serve_own("instance-1"), await serve_own("instance-2")
    paths = []
    for command in commands(20):
        user = msgspec.to_builtins(command.profile)
        created = await one.client.post("/api/v1/user-command?seed=w", json=user)
        paths.append(f"/api/v1/user-query/{created.json()['id']}?version=2")
        await two.client.patch(created.headers["location"], json={"phone": "2", "login": None})
    wait = {"Prefer": "wait=10"}
    from_mongodb = [await one.client.get(path, headers=wait) for path in paths]
    own_servers.mongodb_server.process.send_signal(signal.SIGSTOP)
    try:
        from_postgresql = await asyncio.gather(*(two.client.get(path) for path in paths))
    finally:
        own_servers.mongodb_server.process.send_signal(signal.SIGCONT)
    assert {answer.headers["tandem-source"] for answer in from_mongodb} == {"MongoDB"}
    assert {answer.headers["tandem-source"] for answer in from_postgresql} == {"PostgreSQL"}
    assert [answer.content for answer in from_postgresql] == [answer.content for answer in from_mongodb]


async def test_complete_lists_wait_for_no_update_of_users_that_are_there(system):
    """Or whoever polls them would starve where somebody always updates users with low ids."""
    gate = asyncio.Event()
    async with run_instance(system.settings(), holding("write_later_versions", gate)) as instance:
        first, second = await create(instance, commands(2))
        await until_version(system, second.id, 1)
        await until_version(system, first.id, 1)
        await update(instance, first.id, phone="held")
        assert await instance.adapters.completeness.through() >= second.id
        gate.set()


async def test_complete_lists_wait_for_a_user_that_was_updated_before_it_was_there(system):
    closed = asyncio.Event()
    async with run_instance(system.settings(drain_seconds=0.01), holding("write", closed)) as instance:
        first, _ = await create(instance, commands(2))
        documents = instance.adapters.documents
        documents.write_later_versions = documents.write
        await update(instance, first.id, phone="held")
        assert await instance.adapters.completeness.through() < first.id


async def test_health_knows_how_long_a_user_has_waited_whatever_its_id(system):
    """A user with a low id that is updated all the time must not hide one that waits for long."""
    closed = asyncio.Event()
    async with run_instance(system.settings(drain_seconds=0.01), holding("write", closed)) as instance:
        await create(instance, commands(2))
        await system.postgres.execute(
            "update prm_user_pending set created_at = now() - interval '1 hour' where user_id = 2"
        )
        assert await instance.adapters.pending.oldest_seconds() > 3_000
        state = await FlowStates(instance.adapters.database, "user").latest()
        assert state.oldest_pending_seconds > 3_000
