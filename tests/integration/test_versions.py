"""Programs of one version and databases of another: who goes on with what, and who refuses."""

import asyncpg
import pytest

from command_line import run_tandem
from schemas import ADDITIVE, BREAKING, NEXT, contents, migrate_to, up_to, with_one_more
from tandem.kernel import UnsuitableServer
from tandem.user_command.schema import Migration, Schema, this_schema

# Add those of each release. One that differs was changed after it had been released: take it back.
RELEASED = {
    "001_users.sql": "4191f1e69f69c9e5",
    "002_live_view.sql": "352f0d928b34f9ce",
    "003_traces.sql": "9d003163d02fe686",
}


def test_released_migrations_are_what_they_were():
    checksums = {one.name: one.checksum for one in this_schema().migrations.values()}
    assert {name: checksums[name][:16] for name in RELEASED} == RELEASED


@pytest.mark.parametrize("first", ["", "-- additive", "-- additive: maybe", "-- Additive: yes", "ALTER"])
def test_a_migration_says_whether_it_is_additive(first):
    with pytest.raises(ValueError, match=r"004_x\.sql has to begin with `-- additive: yes`"):
        Migration.of("004_x.sql", f"{first}\nselect 1")


def test_two_migrations_of_one_number_are_refused():
    files = [Migration.of(f"010_{name}.sql", "-- additive: yes") for name in "ab"]
    with pytest.raises(ValueError, match=r"010_a\.sql and 010_b\.sql have one number"):
        Schema.of(files)


async def serve_once(urls) -> str:
    """What an instance says that is expected to refuse its databases."""
    code, said = await run_tandem(
        "serve", POSTGRES_URL=urls.postgres_service_url, MONGODB_URL=urls.mongodb_service_url
    )
    assert code == 1
    assert "Traceback" not in said
    return said


async def test_the_version_before_starts_writes_and_reads_after_an_additive_migration(system, serve):
    await migrate_to(with_one_more(ADDITIVE), system.urls.postgres_owner_url)
    client = (await serve()).client
    created = await client.post("/api/v1/user-command?seed=old", json={"email": "a@b"})
    assert created.status_code == 201
    await system.until_synchronized(1)
    rows = await client.get(created.headers["location"])
    assert [event["eventType"] for event in rows.json()["events"]] == ["CREATED", "SYNCRONIZED"]


async def test_the_version_before_migrates_nothing_after_an_additive_migration(system):
    await migrate_to(with_one_more(ADDITIVE), system.urls.postgres_owner_url)
    assert await migrate_to(this_schema(), system.urls.postgres_owner_url) == []


async def test_the_version_before_refuses_a_breaking_migration_by_its_name(system):
    url = system.urls.postgres_owner_url
    await migrate_to(with_one_more(BREAKING, "renamed"), url)
    # A later additive one does not make up for it.
    await system.postgres.execute(
        "insert into tandem_migration (number, name, additive) values ($1, 'later', true)", NEXT + 1
    )
    said = await serve_once(system.urls)
    assert f"{NEXT:03}_renamed.sql changes what this program relies on" in said
    assert "newer program" in said
    with pytest.raises(UnsuitableServer, match=f"{NEXT:03}_renamed.sql"):
        await migrate_to(this_schema(), url)


async def test_a_newer_program_refuses_a_database_that_lacks_its_migration(databases):
    last = this_schema().migrations[NEXT - 1]
    await migrate_to(up_to(NEXT - 2), databases.postgres_owner_url)
    owner = await asyncpg.connect(databases.postgres_owner_url)
    await owner.execute("grant select on tandem_migration to tandem_service")
    await owner.close()
    said = await serve_once(databases)
    assert f"lacks {last.name}" in said
    assert "Run `tandem migrate`" in said


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ("checksum = 'another'", "001_users.sql was changed after it had been applied"),
        ("name = '001_people.sql'", "The database has 001_people.sql as its migration 1"),
    ],
)
async def test_a_migration_that_is_not_the_one_that_was_applied_is_refused(system, changed, said):
    await system.postgres.execute(f"update tandem_migration set {changed} where number = 1")
    assert said in await serve_once(system.urls)
    with pytest.raises(UnsuitableServer, match=said):
        await migrate_to(this_schema(), system.urls.postgres_owner_url)


async def test_step_by_step_makes_the_same_schema_as_all_at_once(servers):
    at_once, step_by_step = [await servers.new_databases() for _ in range(2)]
    await migrate_to(this_schema(), at_once.postgres_owner_url)
    for number in this_schema().migrations:
        await migrate_to(up_to(number), step_by_step.postgres_owner_url)
    await migrate_to(this_schema(), step_by_step.postgres_owner_url)
    assert await contents_of(step_by_step) == await contents_of(at_once)


async def test_a_database_of_version_0_1_becomes_the_same_and_can_still_be_written(servers):
    """Its table of migrations knew number and name alone, and it has users."""
    new, old = [await servers.new_databases() for _ in range(2)]
    await migrate_to(this_schema(), new.postgres_owner_url)
    owner = await asyncpg.connect(old.postgres_owner_url)
    await owner.execute(
        "CREATE TABLE tandem_migration ("
        "number integer PRIMARY KEY, name text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())"
    )
    for number in (1, 2, 3):
        migration = this_schema().migrations[number]
        await owner.execute(migration.sql)
        await owner.execute(
            "insert into tandem_migration (number, name) values ($1, $2)", number, migration.name
        )
    await migrate_to(this_schema(), old.postgres_owner_url)
    assert await contents_of(old) == await contents_of(new)
    # Nobody knows what the files were like then, so nobody says so.
    checksums = await owner.fetch("select checksum from tandem_migration where number <= 3")
    assert [row["checksum"] for row in checksums] == [None] * 3
    # What the `tandem migrate` of that version would write.
    await owner.execute("insert into tandem_migration (number, name) values (99, 'x')")
    await owner.close()


async def contents_of(databases):
    connection = await asyncpg.connect(databases.postgres_owner_url)
    try:
        return await contents(connection)
    finally:
        await connection.close()
