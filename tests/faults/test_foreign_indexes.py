"""Indexes and rules of somebody's on the collection: who breaks them is set aside, all others arrive."""

import msgspec
import pytest
from bson import Decimal128

from systems import commands, create
from tandem.user import Profile, StoredUser
from tandem.user.stored import uptime
from waiting import until


async def until_arrived_and_set_aside(system, arrived: int, letters: int) -> None:
    async def is_so() -> bool:
        done = await system.count("select count(*) from prm_user where status = 'SYNCRONIZED'")
        aside = await system.count("select count(*) from prm_user_dead_letter")
        pending = await system.count("select count(*) from prm_user_pending")
        return (done, aside, pending) == (arrived, letters, 0)

    await until(is_so, f"{arrived} users synchronized, {letters} set aside")


async def test_the_same_address_twice_under_somebodys_unique_index_stops_nobody(system, serve):
    served = await serve()
    client = served.client
    await system.users.create_index("email", unique=True, name="no_twins")
    for email in ("twin@example.com", "twin@example.com", *(f"{n}@example.com" for n in range(5))):
        answer = await client.post("/api/v1/user-command?seed=run", json={"email": email})
        assert answer.status_code == 201
    await until_arrived_and_set_aside(system, 6, 1)

    (letter,) = (await client.get("/api/v1/dead-letters")).json()
    flow = await client.get("/health/flow")
    assert flow.status_code == 503
    for said in (letter["error"], flow.json()["detail"], served.log.read_text()):
        assert "11000 DuplicateKey" in said
        assert "no_twins" in said
        assert "twin@" not in said

    await system.users.drop_index("no_twins")
    assert (await client.post("/api/v1/dead-letters/retry")).json() == {"retried": 1}
    await system.until_synchronized(7)
    assert (await client.get("/health/flow")).status_code == 200


@pytest.mark.parametrize(
    ("key", "options"),
    [
        ([("location.coordinates", "2dsphere")], {}),
        ([("location.coordinates", "2d")], {}),
        ([("name.first", 1)], {"unique": True}),
        ([("name.last", 1), ("seed", 1)], {"unique": True, "sparse": True}),
    ],
    ids=["places on a sphere", "places on a plane", "unique first names", "unique last names of a run"],
)
async def test_whom_an_index_does_not_take_is_set_aside_without_a_word_of_what_it_said(
    system, instance, key, options
):
    # The collection's first document is one that the index takes.
    taken = commands(500)
    bare = [
        msgspec.structs.replace(command, profile=Profile(f"{n}@x")) for n, command in enumerate(commands(5))
    ]
    if options:
        taken = [*taken[:3], taken[0]]
        bare = [msgspec.structs.replace(taken[0], profile=one.profile) for one in bare[:1]]
    else:
        taken = taken[:3]
    await system.users.create_index(key, name="foreign", **options)
    await create(instance, [*taken, *bare])
    expected = 1 if options else 3
    await until_arrived_and_set_aside(system, len(taken) + len(bare) - expected, expected)
    errors = [row["error"] for row in await system.postgres.fetch("select error from prm_user_dead_letter")]
    for command in taken:
        quoted = (command.profile.email, command.profile.name.first, command.profile.location.city)
        assert not [text for text in quoted for error in errors if text in error]


async def test_replacing_an_older_version_sorts_its_errors_the_same_way(system, instance):
    users = await create(instance, commands(3))
    await system.until_synchronized(3)
    taken = users[0].profile.email
    await system.users.create_index("email", unique=True, name="no_twins")
    later = [
        StoredUser(user.id, user.seed, user.app_id, 2, user.created_at, Profile(email), read_at=uptime())
        for user, email in zip(users, ("first@x", taken, "third@x"), strict=True)
    ]
    outcome = await instance.flow.query_service.change(later[1:])
    assert [aggregate.refusal is None for aggregate in outcome] == [False, True]
    assert "no_twins" in outcome[0].refusal
    assert (await system.users.find_one({"_id": users[1].id}))["version"] == 1
    assert (await system.users.find_one({"_id": users[2].id}))["version"] == 2
    # Once the address is free, it goes through.
    for user in later[:2]:
        (outcome,) = await instance.flow.query_service.change([user])
        assert outcome.refusal is None


async def test_a_document_under_an_equal_number_of_another_type_is_a_conflict(system, instance):
    await system.users.insert_one({"_id": Decimal128("1"), "note": "by hand"})
    await create(instance, commands(2))
    await until_arrived_and_set_aside(system, 1, 1)
    error = (await system.postgres.fetchrow("select error from prm_user_dead_letter"))["error"]
    assert error.startswith("identity conflict")
