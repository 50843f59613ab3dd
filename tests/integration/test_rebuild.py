"""A new collection is built beside the live one: complete, resumable, switched to, left again, dropped."""

from contextlib import asynccontextmanager

import msgspec
import pytest

from command_line import run_tandem
from generations import all_of, follow, versions_in
from systems import carry_out, commands, create
from tandem.app import run_instance
from tandem.app.adapters import connected
from tandem.app.rebuild import Rebuild
from tandem.app.rebuilt import kinds_to_rebuild
from tandem.cqrs import DeleteUserCommand, UpdateUserCommand
from tandem.projections.copying import Copier
from tandem.projections.lock import sole_rebuild
from tandem.projections.pace import Pace, next_rate, p99_seconds
from tandem.projections.row import RebuildError
from tandem.user_query import document
from waiting import until


class Heard:
    """Hears what a rebuild says."""

    def __init__(self):
        self.said = []

    def say(self, text):
        self.said.append(text)

    def advance(self, what, done, total, pace):
        assert done <= total


@asynccontextmanager
async def builder(system, plural="users", aggregates=()):
    """A rebuild as the owner."""
    settings = msgspec.structs.replace(
        system.settings("rebuild"),
        postgres_url=system.urls.postgres_owner_url,
        mongodb_url=system.urls.mongodb_owner_url,
    )
    async with connected(settings, aggregates) as adapters:
        kind = kinds_to_rebuild(adapters)[plural]
        pace = Pace(adapters.database, kind.kind, max_lag=1.0)
        yield Rebuild(adapters.database, kind, pace, Heard())


async def test_a_new_collection_takes_the_place_of_the_live_one_and_the_way_back(system, instance):
    users = await create(instance, commands(1_200))
    await system.until_synchronized(1_200)
    await carry_out(instance, DeleteUserCommand(users[0].id))
    await until(lambda: _nothing_pending(system), "nothing pending")
    before = await versions_in(system, "users")
    async with builder(system) as rebuild:
        await rebuild.run()
        assert await versions_in(system, "users_v2") == before
        collections = instance.adapters.projections.collections["user"]
        assert collections.names == ["users_v2", "users"]
        with pytest.raises(RebuildError, match="users, is still kept"):
            await rebuild.run()
        await rebuild.back()
        assert collections.names == ["users", "users_v2"]
        await rebuild.back()
        await rebuild.drop()
        assert collections.names == ["users_v2"]
        names = await system.mongodb.get_default_database().list_collection_names()
        assert "users" not in names
        with pytest.raises(RebuildError, match="no collection of users to drop"):
            await rebuild.drop()
        with pytest.raises(RebuildError, match="no collection of users to go back to"):
            await rebuild.back()
    await carry_out(instance, UpdateUserCommand(users[1].id, {"phone": "1"}))
    await until(lambda: _nothing_pending(system), "nothing pending")
    assert (await versions_in(system, "users_v2"))[users[1].id] == (2, False)
    assert "users" not in await system.mongodb.get_default_database().list_collection_names()


async def _nothing_pending(system) -> bool:
    return await system.count("select count(*) from prm_user_pending") == 0


class Interrupted(Exception):
    """As `kill -9` would."""


async def test_an_interrupted_copy_goes_on_where_it_was(system, instance, monkeypatch):
    await create(instance, commands(1_200))
    await system.until_synchronized(1_200)
    copied = []
    original = Copier.copy_page

    async def copy_page(self, after):
        if copied == [0] and after:
            copied.append("interrupted")
            raise Interrupted
        copied.append(after)
        return await original(self, after)

    monkeypatch.setattr(Copier, "copy_page", copy_page)
    async with builder(system) as rebuild:
        with pytest.raises(Interrupted):
            await rebuild.run()
        assert len(await versions_in(system, "users_v2")) == 500
    async with builder(system) as rebuild:
        await rebuild.run()
    assert copied[0] == 0
    assert copied[2] > 0
    assert len(copied) == 4
    assert await versions_in(system, "users_v2") == await versions_in(system, "users")


async def test_what_changes_between_reading_and_copying_is_not_taken_back(system, instance, monkeypatch):
    users = await create(instance, commands(3))
    await system.until_synchronized(3)
    original = Copier._write

    async def write(self, rows, read_at):
        await carry_out(instance, UpdateUserCommand(users[0].id, {"phone": "later"}))
        await carry_out(instance, DeleteUserCommand(users[1].id))
        await until(lambda: _nothing_pending(system), "nothing pending")
        monkeypatch.setattr(Copier, "_write", original)
        return await original(self, rows, read_at)

    monkeypatch.setattr(Copier, "_write", write)
    async with builder(system) as rebuild:
        await rebuild.run()
    expected = {users[0].id: (2, False), users[1].id: (2, True), users[2].id: (1, False)}
    assert await versions_in(system, "users_v2") == expected
    assert (await all_of(system, "users_v2").find_one({"_id": users[0].id}))["phone"] == "later"


async def test_what_was_deleted_before_the_copy_does_not_come_back_by_a_late_write(system, instance):
    (user,) = await create(instance, commands(1))
    await system.until_synchronized(1)
    await carry_out(instance, DeleteUserCommand(user.id))
    await until(lambda: _nothing_pending(system), "nothing pending")
    async with builder(system) as rebuild:
        await rebuild.run()
    projection = instance.adapters.documents.projection
    for generation in projection.written:
        await instance.adapters.documents.write([document.document_of(user)], generation)
    assert await versions_in(system, "users_v2") == {user.id: (2, True)}


async def test_what_differs_from_its_row_is_copied_again_before_the_switch(system, instance, monkeypatch):
    users = await create(instance, commands(3))
    await system.until_synchronized(3)
    original = Rebuild._verify

    async def verify(self, copier):
        new = all_of(system, "users_v2")
        await new.delete_one({"_id": users[0].id})
        await new.update_one({"_id": users[1].id}, {"$set": {"phone": "by hand"}})
        await new.update_one({"_id": users[2].id}, {"$set": {"version": 0}})
        return await original(self, copier)

    monkeypatch.setattr(Rebuild, "_verify", verify)
    async with builder(system) as rebuild:
        await rebuild.run()
    old, new = all_of(system, "users"), all_of(system, "users_v2")
    assert await new.find({}).sort("_id").to_list(None) == await old.find({}).sort("_id").to_list(None)


async def test_a_document_that_the_new_collection_refuses_stops_the_rebuild_and_nothing_else(
    system, instance, monkeypatch
):
    users = await create(instance, commands(2))
    await system.until_synchronized(2)
    original = Copier.copy_page

    async def copy_page(self, after):
        validator = {"_id": {"$ne": users[1].id}}
        await system.mongodb.get_default_database().command({"collMod": "users_v2", "validator": validator})
        return await original(self, after)

    monkeypatch.setattr(Copier, "copy_page", copy_page)
    async with builder(system) as rebuild:
        with pytest.raises(RebuildError, match=f"{users[1].id} among them: 121 DocumentValidationFailure"):
            await rebuild.run()
        await follow(instance)
        assert instance.adapters.projections.collections["user"].live.name == "users"
        await rebuild.drop()
        assert instance.adapters.projections.collections["user"].names == ["users"]


async def test_a_new_shape_comes_with_the_switch_and_goes_with_the_way_back(system, monkeypatch):
    async with run_instance(system.settings("older")) as older:
        (user,) = await create(older, commands(1))
        await system.until_synchronized(1)
        monkeypatch.setitem(document.SHAPES, 2, lambda user: {**document.SHAPES[1](user), "shape": "two"})
        async with builder(system) as rebuild:
            with pytest.raises(RebuildError, match="does not know shape 2 of users: older"):
                await rebuild.run()
    async with run_instance(system.settings("newer")) as newer, builder(system) as rebuild:
        assert "shape" not in await newer.flow.query_service.find(user.id)
        await rebuild.run()
        assert (await newer.flow.query_service.find(user.id))["shape"] == "two"
        (other,) = await create(newer, commands(1, "other"))
        assert newer.flow.query_service.shown(other)["shape"] == "two"
        await rebuild.back()
        assert "shape" not in await newer.flow.query_service.find(user.id)


@pytest.mark.parametrize(
    ("lag", "expected"), [(0.0, 1_250), (0.2, 1_250), (0.3, 1_000), (0.6, 500), (5.0, 500)]
)
def test_the_pace_follows_the_lag(lag, expected):
    assert next_rate(1_000, 1_000, lag, 1.0) == expected
    assert next_rate(100, 100, 5.0, 1.0) == 100


def test_the_pace_stays_near_what_is_reached():
    assert next_rate(50_000, 3_000, 0.0, 1.0) == 6_000
    assert next_rate(50_000, 3_000, 5.0, 1.0) == 1_500
    assert next_rate(2_000, 10, 0.0, 1.0) == 2_000


def test_the_percentile_of_a_histogram():
    assert p99_seconds({}) == 0
    assert p99_seconds({48: 99, 73: 1}) == pytest.approx(1.1**48 / 1000)
    assert p99_seconds({48: 98, 73: 2}) == pytest.approx(1.1**73 / 1000)


def owners(system) -> dict[str, str]:
    return {"POSTGRES_URL": system.urls.postgres_owner_url, "MONGODB_URL": system.urls.mongodb_owner_url}


async def test_the_command_plans_builds_goes_back_and_drops(system, instance):
    users = await create(instance, commands(3))
    await system.until_synchronized(3)
    await all_of(system, "users").update_one({"_id": users[0].id}, {"$unset": {"email": 1}, "$set": {"x": 1}})
    code, said = await run_tandem("rebuild", "--plan", "--json", **owners(system))
    assert code == 0, said
    plan = msgspec.json.decode(said[said.index("{") :])
    assert (plan["live"], plan["new"], plan["documents"], plan["lookedAt"]) == ("users", "users_v2", 3, 3)
    assert (plan["added"], plan["removed"], plan["changed"]) == ({"email": 1}, {"x": 1}, {})
    assert "users_v2" not in await system.mongodb.get_default_database().list_collection_names()
    code, said = await run_tandem("rebuild", **owners(system))
    assert code == 0, said
    assert "copied 3 of about 3" in said
    assert "users_v2 is read now" in said
    collections = instance.adapters.projections.collections["user"]
    assert collections.live.name == "users_v2"
    code, said = await run_tandem("rebuild", "--back", **owners(system))
    assert (code, collections.live.name) == (0, "users"), said
    code, said = await run_tandem("rebuild", "--drop", **owners(system))
    assert code == 0, said
    assert "Dropped users_v2." in said


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--back",), "There is no collection of users to go back to."),
        (("--aggregate", "trees"), "There is no 'trees' here. There are: users"),
        (("--back", "--drop"), "Give one of --plan, --back and --drop."),
    ],
)
async def test_what_cannot_be_done_is_said_in_a_sentence(system, arguments, said):
    code, output = await run_tandem("rebuild", *arguments, **owners(system))
    assert code != 0
    assert said in output
    assert "Traceback" not in output


async def test_the_service_role_may_not_rebuild_and_two_cannot_at_a_time(system):
    urls = {"POSTGRES_URL": system.urls.postgres_service_url, "MONGODB_URL": system.urls.mongodb_service_url}
    code, said = await run_tandem("rebuild", **urls)
    assert code == 1
    assert "This role may not rebuild" in said
    async with sole_rebuild(system.urls.postgres_owner_url):
        code, said = await run_tandem("rebuild", **owners(system))
    assert code == 1
    assert "Another rebuild is running" in said
