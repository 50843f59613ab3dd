"""The described flow, step by step, against real PostgreSQL and MongoDB."""

import asyncio
import json

import asyncpg
import pytest

from systems import commands, create
from tandem.cqrs import (
    CreateUserQueryCommand,
    CreateUserQueryEvent,
    SynchronizedUserEvent,
    SynchronizeUserCommand,
)
from tandem.kernel import Unavailable
from tandem.user import Profile, StoredUser
from tandem.user.stored import uptime
from tandem.user_query.document import document_of


async def test_a_user_goes_from_command_to_postgresql_to_mongodb_and_back(system, instance):
    heard: list[str] = []
    for event_type in (CreateUserQueryEvent, SynchronizedUserEvent):
        instance.flow.events.subscribe(event_type, lambda event: heard.append(type(event).__name__))
    (user,) = await create(instance, commands(1))
    await system.until_synchronized(1)

    events = await system.postgres.fetch("select * from prm_user_event order by id")
    assert [(e["event_type"], e["version"], e["seed"], e["app_id"]) for e in events] == [
        ("CREATED", 1, "run", "instance-1"),
        ("SYNCRONIZED", 1, "run", "instance-1"),
    ]
    assert heard == ["CreateUserQueryEvent", "SynchronizedUserEvent"]
    assert await system.users.find_one({"_id": user.id}) == document_of(user)


async def test_the_answer_comes_after_user_and_event_are_committed_together(system, instance):
    (user,) = await create(instance, commands(1))
    row = await system.postgres.fetchrow(
        "select e.event_data, e.created_at = u.created_at as same_time from prm_user u "
        "join prm_user_event e on e.user_id = u.id and e.event_type = 'CREATED' where u.id = $1",
        user.id,
    )
    assert row["same_time"]
    assert json.loads(row["event_data"])["email"] == user.profile.email


async def test_many_users_share_few_batches(system, instance):
    users = await create(instance, commands(1000))
    await system.until_synchronized(1000)
    assert len({user.id for user in users}) == 1000
    assert instance.flow.creates.counters.batches * 10 < len(users)
    assert instance.flow.projection.counters.batches * 10 < len(users)


async def test_answers_belong_to_their_commands(system, instance):
    sent = commands(700)
    users = await create(instance, sent)
    assert [user.profile for user in users] == [command.profile for command in sent]
    rows = dict(await system.postgres.fetch("select id, email from prm_user"))
    assert all(rows[user.id] == user.profile.email for user in users)


async def test_repeating_every_step_changes_nothing(system, instance):
    (user,) = await create(instance, commands(1))
    await system.until_synchronized(1)
    before = await system.users.find_one({"_id": user.id})

    await instance.flow.commands.execute(CreateUserQueryCommand(user))
    await instance.flow.commands.execute(SynchronizeUserCommand(user.id, 1, user.seed))

    assert await system.users.find_one({"_id": user.id}) == before
    assert await system.count("select count(*) from prm_user_event") == 2
    assert await system.count("select sum(synchronized) from prm_user_count") == 1


@pytest.mark.parametrize("order", [[1, 2, 3], [3, 2, 1], [2, 3, 1], [3, 1, 2], [1, 3, 2, 1, 2, 3]])
async def test_redelivery_in_any_order_leaves_the_highest_version(system, instance, order):
    (user,) = await create(instance, commands(1))
    await system.until_synchronized(1)
    for version in order:
        changed = StoredUser(
            user.id,
            user.seed,
            user.app_id,
            version,
            user.created_at,
            user.profile if version == 1 else Profile(f"v{version}@example.com"),
            read_at=uptime(),
        )
        bring = instance.flow.query_service.create if version == 1 else instance.flow.query_service.change
        await bring([changed])
    document = await system.users.find_one({"_id": user.id})
    assert (document["version"], document["email"]) == (3, "v3@example.com")


async def test_an_unknown_country_and_time_zone_get_rows_of_their_own_once(system, instance):
    await create(instance, commands(300))
    await create(instance, commands(300, "again"))
    assert await system.count("select count(*) - count(distinct name) from prm_country") == 0
    assert (
        await system.count(
            "select count(*) from prm_user_location l left join prm_country c on c.id = l.country_id "
            "left join prm_timezone t on t.id = l.timezone_id where c.id is null or t.id is null"
        )
        == 0
    )


async def test_no_row_points_to_a_user_that_is_not_there(system, instance):
    await create(instance, commands(50))
    for table in ("location", "login", "picture", "event", "pending"):
        orphans = await system.count(
            f"select count(*) from prm_user_{table} t where not exists "
            "(select from prm_user u where u.id = t.user_id)"
        )
        assert orphans == 0, table


async def test_a_command_that_fails_in_its_last_table_leaves_nothing_half_done(system, instance):
    (command,) = commands(1)
    await system.postgres.execute("alter table prm_user_picture rename to hidden")
    with pytest.raises(Unavailable, match="lacks a table"):
        await instance.flow.commands.execute(command)
    await system.postgres.execute("alter table hidden rename to prm_user_picture")
    assert await system.count("select count(*) from prm_user") == 0
    assert await system.count("select count(*) from prm_user_event") == 0
    await create(instance, [command])
    await system.until_synchronized(1)


async def test_connections_that_the_server_ends_are_replaced(system, instance):
    await create(instance, commands(1))
    same_role = await asyncpg.connect(system.urls.postgres_service_url)
    await same_role.execute(
        "select pg_terminate_backend(pid) from pg_stat_activity "
        "where application_name = 'tandem instance-1' and datname = current_database()"
    )
    await same_role.close()
    users = 1
    for command in commands(20, "after"):
        try:
            await instance.flow.commands.execute(command)
            users += 1
        except Unavailable:
            # A session that was just being opened is ended as well; the next one is opened after a pause.
            await asyncio.sleep(0.1)
    assert users > 1
    await system.until_synchronized(users)
