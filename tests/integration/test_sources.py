"""Rows page by page, with what is left to do of each."""

import pytest
from orders import ORDERS
from orders.order import Line, PlaceOrder

from obstacles import damage
from systems import System, carry_out, commands, create, open_system
from tandem.aggregates.messages import Sent
from tandem.aggregates.source import rows_of
from tandem.app import run_instance
from tandem.cqrs import DeleteUserCommand
from tandem.ids import HIGHEST_ID
from tandem.user_command.source import rows_of_users


async def all_of(source, limit, **more):
    """All rows by pages of so many."""
    rows, after = [], 0
    while after < HIGHEST_ID:
        page = await source.page(after, limit, **more)
        rows += page.rows
        after = page.through
    return rows


async def test_pages_have_every_user_once_as_it_was_committed(system, instance):
    users = await create(instance, commands(7))
    await system.until_synchronized(7)
    rows = await all_of(rows_of_users(instance.adapters.database), 3)
    assert [row.id for row in rows] == sorted(user.id for user in users)
    assert {row.id: row.stored.profile for row in rows} == {user.id: user.profile for user in users}
    assert {(row.version, row.is_pending, row.is_dead_letter) for row in rows} == {(1, False, False)}


async def test_a_page_ends_where_it_was_told_to(system, instance):
    ids = sorted(user.id for user in await create(instance, commands(5)))
    page = await rows_of_users(instance.adapters.database).page(ids[0], 10, through=ids[2])
    assert ([row.id for row in page.rows], page.through) == (ids[1:3], ids[2])


async def test_pages_of_a_run_pass_over_the_others(system, instance):
    await create(instance, commands(5, "theirs"))
    ours = await create(instance, commands(2, "ours"))
    await create(instance, commands(5, "theirs"))
    rows = await all_of(rows_of_users(instance.adapters.database), 2, seed="ours")
    assert [row.id for row in rows] == sorted(user.id for user in ours)


async def test_rows_say_what_is_pending_set_aside_deleted_or_cannot_be_read(system, instance):
    users = sorted(await create(instance, commands(5)), key=lambda user: user.id)
    await system.until_synchronized(5)
    pending, letter, deleted, unreadable, fine = [user.id for user in users]
    await carry_out(instance, DeleteUserCommand(deleted))
    await system.postgres.execute("update prm_user set email = 'no address' where id = $1", unreadable)
    # In this life's own name, and too young to be taken for forgotten.
    await system.postgres.execute(
        "insert into prm_user_pending values ($1, 1, $2, now() + '1 h')",
        pending,
        instance.adapters.lease.incarnation,
    )
    await system.postgres.execute(
        "insert into prm_user_dead_letter values ($1, 1, 'refused', 'i', now())", letter
    )
    rows = {
        row.id: row
        for row in await rows_of_users(instance.adapters.database).rows(
            [fine, unreadable, deleted, letter, pending, HIGHEST_ID]
        )
    }
    assert rows.keys() == {pending, letter, deleted, unreadable, fine}
    assert {id_ for id_, row in rows.items() if row.is_dead_letter} == {letter}
    assert pending in {id_ for id_, row in rows.items() if row.is_pending} <= {pending, deleted}
    assert (rows[deleted].version, rows[deleted].stored.profile) == (2, None)
    assert rows[unreadable].stored is None
    assert "email" in rows[unreadable].why_unreadable
    assert "no address" not in rows[unreadable].why_unreadable
    assert (rows[fine].stored.profile, rows[fine].why_unreadable) == (users[4].profile, "")


@pytest.fixture
async def shop(databases):
    """Migrated databases that have orders."""
    async with open_system(databases, [ORDERS]) as opened:
        yield opened


async def test_aggregates_are_read_as_users_are(shop: System):
    async with run_instance(shop.settings(), aggregates=[ORDERS]) as instance:
        (user,) = await create(instance, commands(1))
        placed = [
            await instance.own.flows["order"].execute(
                Sent(PlaceOrder(user.id, (Line("tea", 2, 350),)), "run")
            )
            for _ in range(3)
        ]
        rows = await all_of(rows_of(ORDERS, instance.adapters.database), 2)
        assert [row.stored.state for row in rows] == [each.stored.state for each in placed]
        assert [row.id for row in rows] == [each.stored.id for each in placed]


async def test_a_damaged_row_cannot_be_read_and_all_others_are(system, instance):
    ids = sorted(user.id for user in await create(instance, commands(9)))
    await system.until_synchronized(9)
    incarnation = instance.adapters.lease.incarnation
    insert = "insert into prm_user_pending values ($1, 1, $2, now())"
    await system.postgres.execute(insert, ids[4], incarnation)
    await damage(system, "prm_user_pending", ids[4])
    rows = await all_of(rows_of_users(instance.adapters.database), 20)
    assert [row.id for row in rows] == ids
    unreadable = {row.id: row.why_unreadable for row in rows if row.stored is None}
    assert unreadable == {ids[4]: "PostgreSQL says DataCorruptedError"}
