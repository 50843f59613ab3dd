"""`tandem verify` and `tandem repairs`, for people and for programs."""

import json

import pytest

from command_line import run_tandem
from systems import commands, create


@pytest.fixture
def urls(system):
    """The environment of a command that may do what instances may."""
    return {
        "POSTGRES_URL": system.urls.postgres_service_url,
        "MONGODB_URL": system.urls.mongodb_service_url,
        "COLUMNS": "120",
    }


async def test_equal_stores_end_with_zero(system, instance, urls):
    await create(instance, commands(3))
    await system.until_synchronized(3)
    code, said = await run_tandem("verify", **urls)
    assert (code, said.splitlines()[-1]) == (0, "Equal.")
    code, said = await run_tandem("verify", "--json", "--aggregate", "users", **urls)
    (users,) = json.loads(said)
    assert code == 0
    assert (users["checked"], users["equal"], users["differences"]) == (3, 3, [])


async def test_what_differs_is_named_and_values_are_shown_only_on_demand(system, instance, urls):
    first, second, third = sorted(user.id for user in await create(instance, commands(3)))
    await system.until_synchronized(3)
    await system.users.update_one({"_id": first}, {"$set": {"email": "eve@example.org"}})
    await system.users.delete_one({"_id": second})
    code, said = await run_tandem("verify", **urls)
    assert code == 1
    assert "email" in said
    assert "eve@example.org" not in said
    assert said.splitlines()[-1] == "Not equal."
    code, said = await run_tandem("verify", "--show-values", **urls)
    assert "eve@example.org" in said
    code, said = await run_tandem("verify", "--json", "--seed", "run", **urls)
    (users,) = json.loads(said)
    assert (code, users["missing"], users["differing"], users["equal"]) == (1, 1, 1, 1)
    assert {each["id"]: each["what"] for each in users["differences"]} == {
        str(first): "differing",
        str(second): "missing",
    }
    assert str(third) not in [each["id"] for each in users["differences"]]


async def test_repair_heals_waits_until_it_is_done_and_is_listed(system, instance, urls):
    users = await create(instance, commands(5))
    await system.until_synchronized(5)
    assert await run_tandem("repairs", **urls) == (0, "Nothing was repaired.\n")
    await system.users.delete_one({"_id": users[0].id})
    await system.users.insert_one({"_id": "text", "secret": "s3cret"})
    code, said = await run_tandem("verify", "--repair", **urls)
    assert code == 0, said
    assert "healed by now" in said
    assert (await run_tandem("verify", **urls))[0] == 0
    code, said = await run_tandem("repairs", **urls)
    assert code == 0
    assert "surplus" in said
    assert "missing" in said
    assert "s3cret" not in said
    code, said = await run_tandem("repairs", "--json", "--show-documents", **urls)
    assert [each["reason"] for each in json.loads(said)] == ["verify --repair"] * 2
    assert "s3cret" in said


async def test_users_of_a_lost_history_are_left_and_end_with_one(system, instance, urls):
    await system.postgres.execute(
        "insert into tandem_history (number, history, highest_id, first_id) values (2, 'x/1/1', 4000, 5000)"
    )
    await system.users.insert_one({"_id": 4_500})
    code, said = await run_tandem("verify", "--repair", **urls)
    assert code == 1
    assert "that PostgreSQL has lost" in said
    assert await system.users.count_documents({}) == 1


async def test_mistakes_end_with_what_to_do(system, tmp_path, urls):
    for code, said, arguments, environment in (
        (1, "No stack is running", ["--data-dir", str(tmp_path)], urls),
        (2, "either a stack", ["--data-dir", str(tmp_path), "--mongodb-url", "mongodb://h/"], urls),
        (2, "There are: users", ["--aggregate", "boats"], urls),
        (1, "127.0.0.1:1", ["--mongodb-url", "mongodb://u:s3cret@127.0.0.1:1/"], urls),
        (1, "127.0.0.1:1", ["--postgres-url", "postgresql://u:s3cret@127.0.0.1:1/x"], urls),
        (1, "POSTGRES_URL is not set", [], urls | {"POSTGRES_URL": ""}),
    ):
        ended = await run_tandem("verify", *arguments, **environment)
        assert ended[0] == code
        assert said in ended[1]
        assert "Traceback" not in ended[1]
        assert "s3cret" not in ended[1]
