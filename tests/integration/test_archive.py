"""Old events in files: moved while everything goes on, found again, and nothing lost whoever is killed."""

import asyncio
import gzip
import json
import os
import signal

import asyncpg
import pytest

from command_line import TANDEM, run_tandem
from doc_pages import fences
from new_servers import run_postgres_program
from places import ROOT
from waiting import until

USERS = "/api/v1/user-command"
WAIT = {"Prefer": "wait=10"}
EVENTS = (
    "select row_to_json(e)::text from prm_user_event e where user_id < 5000000 order by user_id, version, id"
)


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "archive"


@pytest.fixture
async def client(serve, folder):
    return (await serve(EVENT_ARCHIVE_DIR=str(folder))).client


def urls(system, **more: str) -> dict[str, str]:
    return {
        "POSTGRES_URL": system.urls.postgres_owner_url,
        "MONGODB_URL": system.urls.mongodb_service_url,
        **more,
    }


async def archive(system, folder, *options: str) -> tuple[int, str]:
    return await run_tandem(
        "events", "archive", "--to", str(folder), "--older-than", "0", *options, **urls(system)
    )


async def create(client, email: str, **headers: str) -> int:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    answer = await client.post(f"{USERS}?seed=run", json={"email": email}, headers=WAIT | named)
    assert answer.status_code == 201, answer.text
    return answer.json()["id"]


async def end_partition(system, client) -> None:
    """Have all ids of the first partition given."""
    await system.postgres.execute("select setval('prm_user_id_seq', 5000000)")
    await create(client, "later@example.com")


async def three_users(system, client) -> list[int]:
    """One that is as it was, one that was changed, one that was deleted."""
    ids = [await create(client, f"{name}@example.com") for name in ("new", "changed", "deleted")]
    await client.patch(f"{USERS}/{ids[1]}", json={"email": "other@example.com"}, headers=WAIT)
    await client.delete(f"{USERS}/{ids[2]}", headers=WAIT)
    await end_partition(system, client)
    return ids


async def histories(client, ids: list[int]) -> list[tuple[int, object]]:
    """All that is told of these users' past."""
    paths = [f"{USERS}/{id_}{rest}" for id_ in ids for rest in ("", "/events", "?version=1")]
    answers = [await client.get(path) for path in paths]
    return [(answer.status_code, answer.json()) for answer in answers]


def lines(folder) -> list[dict]:
    return [
        json.loads(line)
        for path in sorted(folder.glob("*.gz"))
        for line in gzip.decompress(path.read_bytes()).splitlines()
    ]


async def test_moved_events_are_in_a_file_and_histories_are_as_before(system, client, folder):
    ids = await three_users(system, client)
    before, events = await histories(client, ids), await system.postgres.fetch(EVENTS)
    code, said = await archive(system, folder, "--plan")
    assert (code, "users 0 to 4,999,999" in said, folder.exists()) == (0, True, True)
    assert await system.postgres.fetch(EVENTS) == events

    code, said = await archive(system, folder)
    assert code == 0, said
    assert await system.count("select count(*) from prm_user_event where user_id < 5000000") == 0
    moved = lines(folder)
    assert [(line["user_id"], line["version"], line["event_type"]) for line in moved] == [
        (row["user_id"], row["version"], row["event_type"]) for row in (json.loads(e[0]) for e in events)
    ]
    assert await histories(client, ids) == before
    row = await system.postgres.fetchrow("select * from tandem_event_archive")
    assert (row["users"], row["events"], row["highest_id"]) == (3, len(events), max(e["id"] for e in moved))
    assert str(row["highest_xid"]) == max((e["xid"] for e in moved), key=int)
    # A second run has nothing to do.
    assert (await archive(system, folder))[1] == "There is nothing to move.\n"


async def test_users_with_moved_events_go_on_and_are_moved_again(system, client, folder):
    first, second, _ = await three_users(system, client)
    await archive(system, folder)
    for phone in ("1", "2"):
        changed = await client.patch(f"{USERS}/{first}", json={"phone": phone}, headers=WAIT)
        assert changed.status_code == 200, changed.text
    before = await histories(client, [first, second])
    stages = [event["eventType"] for event in before[1][1]]
    assert stages == ["CREATED", "SYNCRONIZED", "UPDATED", "SYNCRONIZED", "UPDATED", "SYNCRONIZED"]
    assert (await archive(system, folder))[0] == 0
    assert len(list(folder.glob("*.gz"))) == 2
    assert await histories(client, [first, second]) == before
    code, said = await run_tandem("events", "check", **urls(system, EVENT_ARCHIVE_DIR=str(folder)))
    assert (code, "Events of 4 users: 4 CREATED (format 2)" in said) == (0, True), said
    assert await run_tandem("events", "check", "--archive", str(folder), **urls(system)) == (0, said)


async def test_a_repeated_command_is_answered_as_before(system, client, folder):
    id_ = await create(client, "a@example.com", Idempotency_Key="key")
    await client.patch(f"{USERS}/{id_}", json={"email": "b@example.com"}, headers=WAIT)
    await end_partition(system, client)

    async def again():
        answer = await client.post(
            f"{USERS}?seed=run", json={"email": "a@example.com"}, headers={"Idempotency-Key": "key"}
        )
        return answer.status_code, answer.json()

    before = await again()
    await archive(system, folder)
    assert await again() == before


async def test_where_the_files_are_not_it_is_said_and_no_wrong_history_is_told(system, serve, client, folder):
    first, *_ = await three_users(system, client)
    await archive(system, folder)
    without = (await serve("instance-2")).client
    for path in (f"{USERS}/{first}", f"{USERS}/{first}/events", f"{USERS}/{first}?version=1"):
        answer = await without.get(path)
        assert (answer.status_code, "EVENT_ARCHIVE_DIR is not set" in answer.text) == (503, True)
    assert (await without.get(f"/api/v1/user-query/{first}")).status_code == 200
    (file,) = folder.glob("*.gz")
    file.write_bytes(file.read_bytes()[:-10])
    answer = await client.get(f"{USERS}/{first}/events")
    assert (answer.status_code, file.name in answer.text) == (503, True)
    file.unlink()
    assert (await client.get(f"{USERS}/{first}/events")).status_code == 503
    code, said = await run_tandem("events", "check", **urls(system))
    assert (code, "name the folder that has it by --archive" in said, "Traceback" in said) == (1, True, False)
    code, said = await archive(system, folder)
    assert (code, "is missing: name the folder" in said, "Traceback" in said) == (1, True, False)


async def test_who_is_erased_is_taken_out_of_the_files(system, client, folder):
    first, second, _ = await three_users(system, client)
    await archive(system, folder)
    before = await histories(client, [second])
    await client.delete(f"{USERS}/{first}?erase=true", headers=WAIT)
    report = ("erase-report", str(first), "--json")
    code, said = await run_tandem(*report, **urls(system, EVENT_ARCHIVE_DIR=str(folder)))
    places = {place["name"]: place["personalFields"] for place in json.loads(said)}
    assert (code, places["archived events"]) == (1, ["event_data"])

    code, said = await archive(system, folder, "--erase")
    assert (code, "takes out the data of 1 erased users" in said) == (0, True), said
    assert (await run_tandem(*report, **urls(system, EVENT_ARCHIVE_DIR=str(folder))))[0] == 0
    assert "new@example.com" not in json.dumps(lines(folder))
    assert len(list(folder.iterdir())) == 2
    assert await histories(client, [second]) == before
    assert (await client.get(f"{USERS}/{first}?version=1")).status_code == 410
    assert (await archive(system, folder, "--erase"))[1] == "There is nothing to move.\n"


async def fill(system, users: int) -> set[tuple[int, int, str]]:
    """So many users with two events each, as the log has them."""
    await system.postgres.execute(
        """insert into prm_user_event (
               user_id, version, event_type, event_data, seed, app_id, created_at, format)
           select n, 1, stage::user_stage, case stage when 'CREATED' then
                  jsonb_build_object('email', md5(n::text) || E'\\\\ "\\u00e9 \\n') end, 'run', 'a', now(), 2
           from generate_series(1, $1) n, unnest('{CREATED,SYNCRONIZED}'::text[]) stage""",
        users,
    )
    await system.postgres.execute("select setval('prm_user_id_seq', 5000001)")
    return await all_events(system, None)


async def all_events(system, folder) -> set[tuple[int, int, str]]:
    """Those of the table and of the files that it names; each is in one place only."""
    rows = await system.postgres.fetch("select user_id, version, event_type::text from prm_user_event")
    found = [tuple(row) for row in rows]
    for row in await system.postgres.fetch("select file_name from tandem_event_archive"):
        text = gzip.decompress((folder / row["file_name"]).read_bytes())
        events = [json.loads(line) for line in text.splitlines()]
        found += [(event["user_id"], event["version"], event["event_type"]) for event in events]
    assert len(found) == len(set(found))
    return set(found)


@pytest.mark.parametrize("moment", ["*.part", "*.index.json", "*.gz"])
async def test_who_is_killed_at_any_moment_loses_nothing_and_goes_on(system, folder, moment):
    events = await fill(system, 5_500)
    reader = await asyncpg.connect(system.urls.postgres_owner_url)
    process = await asyncio.create_subprocess_exec(
        *TANDEM,
        *("events", "archive", "--to", str(folder), "--older-than", "0"),
        env=os.environ | urls(system),
    )
    async with reader.transaction():
        # It cannot come to its end.
        await reader.execute("lock table prm_user_event_p0 in access share mode")

        async def is_there() -> bool:
            return bool(list(folder.glob(moment)))

        await until(is_there, moment)
        process.send_signal(signal.SIGKILL)
        await process.wait()
    assert await all_events(system, folder) == events
    code, said = await archive(system, folder)
    assert (code, await all_events(system, folder)) == (0, events), said
    assert await system.count("select count(*) from prm_user_event") == 0
    assert len(list(folder.iterdir())) == 2
    await reader.close()


async def test_events_that_come_meanwhile_stay_in_the_table_and_nothing_follows_twice(system, client, folder):
    first, second, _ = await three_users(system, client)
    await system.postgres.execute(
        "create trigger mine after insert on prm_user_event "
        "for each row execute function tandem_user_react('mine')"
    )
    reader = await asyncpg.connect(system.urls.postgres_owner_url)
    async with reader.transaction():
        await reader.execute("lock table prm_user_event_p0 in access share mode")
        moving = asyncio.create_task(archive(system, folder))

        async def is_written() -> bool:
            return bool(list(folder.glob("*.gz")))

        await until(is_written, "the file")
        await client.patch(f"{USERS}/{first}", json={"phone": "1"}, headers=WAIT)
        reactions = "select count(*) from tandem_reaction"
        before, done = await histories(client, [first, second]), await system.count(reactions)
        assert done == 2
        await system.postgres.execute("delete from tandem_reaction")
    code, said = await moving
    assert (code, "2 events that came meanwhile stay" in said) == (0, True), said
    assert await system.count("select count(*) from prm_user_event where user_id < 5000000") == 2
    assert await system.count(reactions) == 0
    assert await histories(client, [first, second]) == before
    await reader.close()


async def test_what_stands_in_the_way_is_said(system, folder):
    await fill(system, 1)
    await system.postgres.execute(
        "insert into prm_user_dead_letter (user_id, version, error, app_id, created_at) "
        "values (1, 1, 'x', 'a', now())"
    )
    code, said = await archive(system, folder)
    assert (code, "It stays: it has dead letters" in said) == (0, True)
    await system.postgres.execute("delete from prm_user_dead_letter")
    other = await asyncpg.connect(system.urls.postgres_owner_url)
    await other.execute("select pg_advisory_lock(hashtext('tandem events archive'))")
    assert await archive(system, folder) == (
        1,
        "Error: Another `tandem events archive` is at work. Wait until it has ended.\n",
    )
    await other.close()
    file = folder / "file"
    folder.mkdir(exist_ok=True)
    file.write_text("")
    code, said = await archive(system, file)
    assert (code, "Traceback" in said) == (2, False)
    service = urls(system, POSTGRES_URL=system.urls.postgres_service_url)
    code, said = await run_tandem("events", "archive", "--to", str(folder), "--older-than", "0", **service)
    assert (code, "as the owner of the database" in said) == (1, True), said


def bring_back(system, folder) -> None:
    """As the runbook says."""
    text = (ROOT / "docs" / "operations.md").read_text()
    (script,) = [one.text for one in fences(text) if "tandem_event_archive" in one.text]
    file = folder / "restore.sql"
    file.write_text(script.replace("'zcat ", f"'zcat {folder}/"))
    run_postgres_program("psql", "--set=ON_ERROR_STOP=1", "-d", system.urls.postgres_owner_url, "-f", file)


async def test_moved_events_are_brought_back_as_the_runbook_says(system, client, folder):
    await three_users(system, client)
    before = await system.postgres.fetch(EVENTS)
    await archive(system, folder)
    bring_back(system, folder)
    assert await system.postgres.fetch(EVENTS) == before
    assert await system.count("select count(*) from tandem_event_archive") == 0


async def test_a_file_that_was_brought_back_gives_its_name_to_no_other(system, client, folder):
    """What has gone on since is in a second file, which a third one must not replace."""
    first, *_ = await three_users(system, client)
    await archive(system, folder)
    await client.patch(f"{USERS}/{first}", json={"phone": "1"}, headers=WAIT)
    await archive(system, folder)
    before = await histories(client, [first])
    bring_back(system, folder)
    assert (await archive(system, folder))[0] == 0
    names = await system.postgres.fetch("select file_name from tandem_event_archive order by number")
    assert [name for (name,) in names] == ["prm_user_event_p0-2.jsonl.gz", "prm_user_event_p0-3.jsonl.gz"]
    assert await histories(client, [first]) == before
