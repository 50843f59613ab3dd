"""An erased person is nowhere any more, the command that shows it, and the check of the log."""

import json

import pytest

from command_line import run_tandem
from systems import commands
from waiting import until

# Values that stand nowhere else.
PERSON = {
    "email": "zq-mail@example.com",
    "gender": "zq-gender",
    "name": {"title": "zq-title", "first": "zq-first", "last": "zq-last"},
    "location": {
        "street": {"number": 987654321, "name": "zq-street"},
        "city": "zq-city",
        "state": "zq-state",
        "postcode": "zq-postcode",
        "coordinates": {"latitude": "zq-latitude", "longitude": "zq-longitude"},
    },
    "login": {"uuid": "zq-uuid", "username": "zq-username", "password": "zq-password", "salt": "zq-salt"},
    "dob": {"date": "1931-07-13T11:12:13.987Z", "age": 31931},
    "registered": {"date": "1932-08-14T12:13:14.986Z"},
    "phone": "zq-phone",
    "cell": "zq-cell",
    "id": {"name": "zq-idname", "value": "zq-idvalue"},
    "picture": {"large": "zq-large", "medium": "zq-medium", "thumbnail": "zq-thumbnail"},
    "nat": "zq-nat",
}
MORE = ["zq-", "987654321", "1931-07-13", "11:12:13", "31931", "1932-08-14"]


async def everything(system) -> str:
    """All rows of all tables, and all documents, as text."""
    tables = await system.postgres.fetch("select tablename from pg_tables where schemaname = 'public'")
    rows = [
        str(await system.postgres.fetchval(f"select json_agg(t)::text from {table['tablename']} t"))
        for table in tables
    ]
    documents = await system.users.find().to_list(None)
    return "\n".join(rows) + str(documents)


def urls(system) -> dict[str, str]:
    return {"POSTGRES_URL": system.urls.postgres_service_url, "MONGODB_URL": system.urls.mongodb_service_url}


@pytest.fixture
async def client(serve):
    return (await serve("instance-1", LOG_LEVEL="debug")).client


async def test_an_erased_person_is_nowhere_any_more(system, client, serve):
    headers = {"Idempotency-Key": "zq-key", "Prefer": "wait=10"}
    created = await client.post("/api/v1/user-command?seed=run", json=PERSON, headers=headers)
    user_id = created.json()["id"]
    path = f"/api/v1/user-command/{user_id}"
    await client.patch(
        path, json={"phone": "zq-other", "name": {"first": "zq-second"}}, headers={"Prefer": "wait=10"}
    )
    code, said = await run_tandem("erase-report", str(user_id), "--json", **urls(system))
    assert code == 1
    shown = {place["name"]: place["personalFields"] for place in json.loads(said)}
    assert {"email", "first_name", "birth_at"} <= set(shown["prm_user"])
    assert shown["prm_user_event"] == ["event_data"]
    assert {"email", "name", "location"} <= set(shown["users"])
    assert "zq-" in await everything(system)

    erased = await client.delete(f"{path}?erase=true", headers={"Prefer": "wait=10", "Idempotency-Key": "k2"})
    assert erased.headers["tandem-status"] == "SYNCRONIZED"
    left = await everything(system)
    assert [value for value in MORE if value in left] == []
    log = serve.served[0].log.read_text()
    assert [value for value in MORE if value in log] == []
    code, said = await run_tandem("erase-report", str(user_id), **urls(system))
    assert (code, said.count("none")) == (0, 9)
    events = (await client.get(f"{path}/events")).json()
    assert {event["eventData"] for event in events} == {None}
    assert events[-2]["eventType"] == "ERASED" or events[-1]["eventType"] == "ERASED"
    assert (await client.get(path)).status_code == 410
    assert (await client.get(f"{path}?version=1")).status_code == 410


async def test_a_dead_letter_goes_with_the_person(system, client):
    await system.mongodb.get_default_database().command(
        "collMod", "users", validator={"phone": {"$ne": "zq-phone"}}, validationLevel="strict"
    )
    created = await client.post("/api/v1/user-command?seed=run", json=PERSON)
    path = f"/api/v1/user-command/{created.json()['id']}"

    async def is_dead() -> bool:
        return await system.count("select count(*) from prm_user_dead_letter") == 1

    await until(is_dead, "a dead letter")
    erased = await client.delete(f"{path}?erase=true", headers={"Prefer": "wait=10"})
    assert erased.headers["tandem-status"] == "SYNCRONIZED"
    assert await system.count("select count(*) from prm_user_dead_letter") == 0
    left = await everything(system)
    assert [value for value in MORE if value in left] == []


async def test_the_log_is_read_by_this_program_or_it_is_said_what_is_not(system, client):
    for command in commands(3):
        body = {"email": command.profile.email}
        created = await client.post("/api/v1/user-command?seed=run", json=body, headers={"Prefer": "wait=10"})
        path = f"/api/v1/user-command/{created.json()['id']}"
        await client.patch(path, json={"phone": "2"}, headers={"Prefer": "wait=10"})
    await client.delete(f"{path}?erase=true", headers={"Prefer": "wait=10"})
    code, said = await run_tandem("events", "check", **urls(system))
    assert code == 0, said
    assert "3 users: 3 CREATED (format 2)" in said
    # As programs before wrote it, and as none ever did.
    await system.postgres.execute(
        'update prm_user_event set format = 1, event_data = \'{"email": "a@b", "name": {}}\' '
        "where user_id = 1 and event_type = 'CREATED'"
    )
    code, said = await run_tandem("events", "check", **urls(system))
    assert (code, "1 CREATED (format 1)" in said) == (0, True)
    await system.postgres.execute(
        "update prm_user_event set format = 9 where user_id = 1 and event_type = 'UPDATED'"
    )
    await system.postgres.execute("delete from prm_user_event where user_id = 2 and version = 1")
    code, said = await run_tandem("events", "check", **urls(system))
    assert code == 1
    assert "User 1, version 2, UPDATED: its format is 9, and this program knows 1 to 2" in said
    assert "User 2, version 2, UPDATED: the first event of a user has to create it" in said
