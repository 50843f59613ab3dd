"""What the comparison says of databases that somebody has tampered with after an honest run."""

import msgspec
import pytest

from systems import commands, create
from tandem.cqrs import Idempotency
from tandem_lab.proof.compare import compare
from tandem_lab.proof.ledger import Acknowledged, content_hash
from tandem_lab.proof.stack import Cell
from tandem_lab.proof.stack import System as SystemUnderProof

SEED = "tampered"
USERS = 30
SOUND = {"acknowledged": USERS, "in_postgres": USERS, "in_mongodb": USERS, "synchronized": USERS}


class Run:
    """An honest run whose ledger is at `path`; `ids` are its users in the ledger's order."""

    def __init__(self, system, path):
        self.system = system
        self.path = path
        self.ids = []

    async def push(self, instance):
        keyed = [
            type(command)(SEED, command.profile, Idempotency(f"key-{number}", b"same"))
            for number, command in enumerate(commands(USERS, SEED))
        ]
        for command, user in zip(keyed, await create(instance, keyed), strict=True):
            self.ids.append(user.id)
            self.note(command.idempotency.key, user.id, content_hash(command.profile).hex())
        await self.system.until_synchronized(USERS)

    def note(self, key, user_id, content="00" * 32):
        """Add a line to the ledger."""
        with self.path.open("ab") as file:
            file.write(msgspec.json.encode(Acknowledged(key, user_id, SEED, content)) + b"\n")

    async def compared(self, number=None):
        """All counts but those that are zero, and the examples, as a system without cells or as this cell."""
        urls = self.system.urls
        cell = Cell(urls.postgres_service_url, urls.mongodb_service_url, number)
        counts = await compare(SystemUnderProof("", [cell]), SEED, self.path)
        fields = {name: getattr(counts, name) for name in counts.__struct_fields__}
        return {name: value for name, value in fields.items() if value}


@pytest.fixture
async def run(system, instance, tmp_path):
    honest = Run(system, tmp_path / "ledger.jsonl")
    await honest.push(instance)
    return honest


async def test_an_honest_run_has_nothing_wrong(run):
    assert await run.compared() == SOUND


async def test_a_missing_document_is_a_lost_user(run):
    await run.system.users.delete_one({"_id": run.ids[3]})
    assert await run.compared() == SOUND | {
        "in_mongodb": USERS - 1,
        "lost": 1,
        "examples": {"lost": [run.ids[3]]},
    }


async def test_a_missing_row_is_a_lost_user_and_its_document_does_not_hide_it(run):
    await run.system.postgres.execute("delete from prm_user where id = $1", run.ids[-1])
    found = await run.compared()
    assert (found["lost"], found["in_postgres"], found["in_mongodb"]) == (1, USERS - 1, USERS)


async def test_a_user_that_is_in_neither_database_is_lost_once(run):
    await run.system.postgres.execute("delete from prm_user where id = $1", run.ids[0])
    await run.system.users.delete_one({"_id": run.ids[0]})
    assert (await run.compared())["lost"] == 1


@pytest.mark.parametrize(
    "tampering",
    [
        {"$set": {"name.first": "Somebody Else"}},
        {"$unset": {"location.postcode": ""}},
        {"$set": {"surplus": 1}},
        {"$set": {"version": 2}},
        {"$set": {"currentStatus": "CREATED"}},
    ],
    ids=str,
)
async def test_a_changed_document_differs(run, tampering):
    await run.system.users.update_one({"_id": run.ids[3]}, tampering)
    assert await run.compared() == SOUND | {"differing": 1, "examples": {"differing": [run.ids[3]]}}


async def test_who_wrote_the_document_makes_no_difference(run):
    await run.system.users.update_many({}, {"$set": {"appId": "whoever took it over"}})
    assert await run.compared() == SOUND


@pytest.mark.parametrize(
    "tampering",
    [
        "delete from prm_user_location where user_id = $1",
        "delete from prm_user_login where user_id = $1",
        "delete from prm_user_picture where user_id = $1",
        "update prm_user set last_name = 'Else' where id = $1",
        "update prm_user set birth_at = birth_at + interval '1 second' where id = $1",
        "update prm_user_location set street_number = null where user_id = $1",
        "update prm_user set idempotency_key = 'another' where id = $1",
        "update prm_user set status = 'CREATED' where id = $1 and status = 'SYNCRONIZED'",
        "update prm_user set version = 2 where id = $1",
        "delete from prm_user_event where user_id = $1 and event_type = 'SYNCRONIZED'",
        "delete from prm_user_event where user_id = $1 and event_type = 'CREATED'",
        """update prm_user_event set event_data = jsonb_set(event_data, '{phone}', '"0"')
           where user_id = $1 and event_type = 'CREATED'""",
    ],
)
async def test_changed_rows_and_events_differ(run, tampering):
    await run.system.postgres.execute(tampering, run.ids[3])
    found = await run.compared()
    assert (found["differing"], found["examples"]) == (1, {"differing": [run.ids[3]]})


@pytest.mark.parametrize("other_id", [10**9, 0.5, "text"], ids=str)
async def test_a_second_document_of_a_user_is_doubled(run, other_id):
    document = await run.system.users.find_one({"_id": run.ids[3]})
    await run.system.users.insert_one(document | {"_id": other_id})
    found = await run.compared()
    assert (found["doubled"], found["in_mongodb"]) == (1, USERS + 1)
    assert "lost" not in found


async def test_a_user_without_a_key_is_doubled(run, instance):
    await create(instance, commands(1, SEED))
    await run.system.until_synchronized(USERS + 1)
    assert (await run.compared())["doubled"] == 1


async def test_a_stage_that_is_recorded_twice_is_doubled(run):
    await run.system.postgres.execute("alter table prm_user_event drop constraint prm_user_event_pkey")
    await run.system.postgres.execute(
        """insert into prm_user_event (user_id, version, event_type, seed, app_id, created_at)
           values ($1, 1, 'SYNCRONIZED', $2, 'somebody', now())""",
        run.ids[3],
        SEED,
    )
    assert (await run.compared())["doubled"] == 1


async def test_a_key_that_was_answered_two_ids_has_doubled_a_user(run):
    run.note("key-3", run.ids[4])
    assert (await run.compared())["doubled"] == 1


async def test_two_keys_that_share_a_user_have_lost_one(run):
    run.note("key-beyond", run.ids[4])
    found = await run.compared()
    assert (found["acknowledged"], found["lost"]) == (USERS + 1, 1)


async def test_a_committed_user_whose_acknowledgement_never_came_is_not_doubled(run):
    lines = run.path.read_bytes().splitlines(keepends=True)
    run.path.write_bytes(b"".join(lines[:-1]))
    assert await run.compared() == SOUND | {"acknowledged": USERS - 1}


async def test_who_is_still_pending_is_not_lost(run):
    await run.system.postgres.execute(
        """with set_back as (update prm_user set status = 'CREATED' where id = $1),
                undone as (delete from prm_user_event where user_id = $1 and event_type = 'SYNCRONIZED')
           insert into prm_user_pending select id, version, incarnation, created_at
           from prm_user, (select max(incarnation) as incarnation from tandem_instance) i where id = $1""",
        run.ids[3],
    )
    found = await run.compared()
    assert (found["pending"], "lost" in found, "differing" in found) == (1, False, False)


async def test_a_dead_letter_is_neither_lost_nor_proved(run):
    await run.system.users.delete_one({"_id": run.ids[3]})
    await run.system.postgres.execute(
        """with set_back as (update prm_user set status = 'CREATED' where id = $1),
                undone as (delete from prm_user_event where user_id = $1 and event_type = 'SYNCRONIZED')
           insert into prm_user_dead_letter values ($1, 1, 'refused', 'instance-1', now())""",
        run.ids[3],
    )
    found = await run.compared()
    assert (found["dead_letters"], "lost" in found, "differing" in found) == (1, False, False)


async def test_a_cell_has_no_users_of_another_one(run):
    """These ids, which begin with 1, are those of a system that had no cells: they are cell 0's."""
    assert await run.compared(number=0) == SOUND
    found = await run.compared(number=7)
    # Each is in the ledger with an id of a cell that there is not, and in cell 7 with an id of another.
    assert found["misplaced"] == 2 * USERS
    assert "lost" not in found
