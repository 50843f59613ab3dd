"""Users and orders in one feed."""

import random
from dataclasses import replace
from datetime import UTC, datetime

import asyncpg
import pytest
from orders import ORDERS

from feeding import ALL, BEGINNING, feed_of, ids, read_all, write
from systems import open_system
from tandem.feed.errors import KindNotServed
from tandem.feed.pages import Wanted

INSERT = """
INSERT INTO prm_order_event (order_id, version, event_type, event_data, seed, app_id, created_at, format)
VALUES ($1, 1, $2, $3, 's', 'test', $4, $5)
"""


@pytest.fixture
async def system(databases):
    async with open_system(databases, [ORDERS]) as opened:
        yield opened


async def write_order(connection, order_id, event_type="OrderPlaced", data="{}", written_in=1):
    await connection.execute(INSERT, order_id, event_type, data, datetime.now(UTC), written_in)


async def test_logs_are_merged_in_the_order_of_their_transactions_whatever_the_pages(system, database):
    feed, chance = feed_of(database, [ORDERS]), random.Random(1)
    writers = [await asyncpg.connect(system.urls.postgres_owner_url) for _ in range(3)]
    seen, cursor = [], BEGINNING
    for number in range(1, 400, 3):
        transactions = [writer.transaction() for writer in writers]
        for offset, (writer, transaction) in enumerate(zip(writers, transactions, strict=True)):
            await transaction.start()
            for each in chance.sample([write, write_order], chance.randint(1, 2)):
                await each(writer, number + offset)
        for transaction in chance.sample(transactions, 3):
            await transaction.commit()
            page = await feed.page(cursor, ALL, chance.randint(1, 5))
            seen += page.events
            cursor = page.cursor
    rest, _ = await read_all(feed, cursor, limit=7)
    seen += rest
    at_once, _ = await read_all(feed, limit=1000)
    assert [event.cursor for event in seen] == [event.cursor for event in at_once]
    for kind in ("user", "order"):
        stored = await system.count(f"select count(*) from prm_{kind}_event")
        assert len(ids(seen, kind)) == len(set(ids(seen, kind))) == stored
        one, _ = await read_all(feed, wanted=Wanted(kinds=[kind]), limit=9)
        assert ids(one, kind) == ids(seen, kind)
    for writer in writers:
        await writer.close()


async def test_a_program_that_does_not_know_a_kind_would_skip_it_and_refuses(system, database):
    await write(system.postgres, 1)
    await write_order(system.postgres, 2)
    feed = feed_of(database)
    for wanted in (ALL, Wanted(kinds=["order"])):
        with pytest.raises(KindNotServed, match="'order'"):
            await feed.page(BEGINNING, wanted, 5)
    assert ids((await read_all(feed, wanted=Wanted(kinds=["user"])))[0]) == [1]
    # A cursor at an event of that kind serves as well.
    _, cursor = await read_all(feed_of(database, [ORDERS]))
    assert cursor.kind == "order"
    await write(system.postgres, 3)
    assert ids((await read_all(feed, cursor, Wanted(kinds=["user"])))[0]) == [3]


async def test_what_cannot_be_read_is_said_and_stops_nothing(system, database):
    def broken(_):
        raise ValueError("jane@example.com")

    later = replace(ORDERS, format=3, upcasters={("OrderPlaced", 1): broken})
    await write_order(system.postgres, 1)
    await write_order(system.postgres, 2, data='{"userId": 7}', written_in=3)
    await write_order(system.postgres, 3, written_in=99)
    await write(system.postgres, 4)
    events, _ = await read_all(feed_of(database, [later]))
    by_id = {event.id: event for event in events}
    assert by_id[1].unreadable == "it cannot be brought to today's format: ValueError"
    assert bytes(by_id[2].data) == b'{"userId": 7}'
    assert by_id[3].unreadable == "its format is 99, and this program knows 1 to 3"
    assert [by_id[number].data for number in (1, 3, 4)] == [None, None, None]


async def test_a_kind_that_is_named_twice_is_shown_once(system, database):
    feed = feed_of(database, [ORDERS])
    await write(system.postgres, 1)
    assert ids((await read_all(feed, wanted=Wanted(kinds=["user", "user"])))[0]) == [1]
