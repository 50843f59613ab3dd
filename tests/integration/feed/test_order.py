"""Nothing is skipped, doubled or out of order, in whichever order transactions commit."""

import asyncio
import random

import asyncpg
import pytest

from feeding import ALL, BEGINNING, feed_of, ids, read_all, write
from tandem.feed.errors import CursorLost, UnknownKind
from tandem.feed.logs import feed_queries
from tandem.feed.pages import Wanted
from tandem.postgres.database import SESSION_SETTINGS


@pytest.fixture
async def connect(system):
    """Opens sessions to write with."""
    opened = []

    async def connect():
        opened.append(await asyncpg.connect(system.urls.postgres_owner_url))
        return opened[-1]

    yield connect
    for connection in opened:
        await connection.close()


async def test_what_commits_later_is_not_skipped_for_what_commits_first(system, database, connect):
    feed, slow = feed_of(database), await connect()
    transaction = slow.transaction()
    await transaction.start()
    await write(slow, 1)
    await write(system.postgres, 2)
    events, cursor = await read_all(feed)
    assert ids(events) == []
    assert await feed.held_back_seconds() > 0
    await transaction.commit()
    events, cursor = await read_all(feed, cursor)
    assert ids(events) == [1, 2]
    assert await feed.held_back_seconds() == 0
    assert await read_all(feed, cursor) == ([], cursor)


async def test_a_transaction_that_takes_its_number_first_and_writes_last_holds_up_those_after_it(
    system, database, connect
):
    feed, slow = feed_of(database), await connect()
    transaction = slow.transaction()
    await transaction.start()
    await slow.fetchval("select pg_current_xact_id()")
    await write(system.postgres, 2)
    assert ids((await read_all(feed))[0]) == []
    await write(slow, 1)
    await transaction.commit()
    assert ids((await read_all(feed))[0]) == [1, 2]


async def test_what_is_rolled_back_holds_up_nothing_and_is_never_shown(system, database, connect):
    slow = await connect()
    transaction = slow.transaction()
    await transaction.start()
    await write(slow, 1)
    await write(system.postgres, 2)
    await transaction.rollback()
    assert ids((await read_all(feed_of(database)))[0]) == [2]


class Writer:
    """A session that writes a few events in transactions, one small step at a time."""

    def __init__(self, connection, chance, next_id):
        self._connection = connection
        self._chance = chance
        self._next_id = next_id
        self._transaction = None
        self._written = []
        self.committed = []

    async def step(self):
        if self._transaction is None:
            self._transaction, self._written = self._connection.transaction(), []
            await self._transaction.start()
        elif len(self._written) < 3 and self._chance.random() < 0.6:
            user_id = self._next_id()
            self._written.append(user_id)
            await write(self._connection, user_id)
        else:
            await self.end(self._chance.random() < 0.85)

    async def end(self, commits):
        if self._transaction is None:
            return
        await (self._transaction.commit() if commits else self._transaction.rollback())
        self.committed += self._written if commits else []
        self._transaction = None


@pytest.mark.parametrize("chance_seed", range(6))
async def test_random_schedules_of_transactions(chance_seed, database, connect):
    chance = random.Random(chance_seed)
    numbers = iter(range(1, 1_000_000))
    feed = feed_of(database)
    sessions = [await connect() for _ in range(6)]
    seen, cursor = [], BEGINNING
    for _ in range(500):
        writers = [Writer(session, chance, lambda: next(numbers)) for session in sessions]
        begun, count = len(seen), 0
        for _ in range(chance.randint(5, 25)):
            await chance.choice(writers).step()
            if chance.random() < 0.3:
                page = await feed.page(cursor, ALL, chance.randint(1, 4))
                seen += page.events
                cursor = page.cursor
        for writer in writers:
            await writer.end(chance.random() < 0.5)
            count += len(writer.committed)
        rest, cursor = await read_all(feed, cursor, limit=chance.randint(1, 50))
        seen += rest
        committed = sorted(user_id for writer in writers for user_id in writer.committed)
        assert sorted(ids(seen[begun:])) == committed
    from_the_beginning, _ = await read_all(feed, limit=1000)
    assert [event.cursor for event in seen] == [event.cursor for event in from_the_beginning]


async def test_filters_find_what_they_name_and_move_on(system, database, monkeypatch):
    feed = feed_of(database)
    monkeypatch.setattr("tandem.feed.pages.MOST_LOOKED_AT", 7)
    for number in range(1, 101):
        kind = "DELETED" if number % 2 else "ERASED"
        await write(system.postgres, number, event_type=kind, seed="rare" if number % 30 == 0 else "s")
    assert ids((await read_all(feed, wanted=Wanted(seed="rare")))[0]) == [30, 60, 90]
    assert ids((await read_all(feed, wanted=Wanted(seed="rare"), limit=2))[0]) == [30, 60, 90]
    found, _ = await read_all(feed, wanted=Wanted(types=["ERASED", "CREATED"]), limit=9)
    assert ids(found) == list(range(2, 101, 2))
    assert (await feed.page(BEGINNING, Wanted(seed="none"), 5)).cursor > BEGINNING
    _, end = await read_all(feed, wanted=Wanted(seed="none"))
    assert end == await feed.now()
    with pytest.raises(UnknownKind, match="there are user"):
        await feed.page(BEGINNING, Wanted(kinds=["nothing"]), 5)


async def test_events_of_before_the_feed_come_first_in_order_of_their_numbers(system, database):
    for number in range(1, 6):
        await write(system.postgres, number)
    await system.postgres.execute("update prm_user_event set xid = '0' where user_id < 4")
    assert ids((await read_all(feed_of(database), limit=2))[0]) == [1, 2, 3, 4, 5]


async def test_a_page_of_large_events_is_cut_and_goes_on(system, database):
    feed = feed_of(database)
    for number in range(1, 8):
        await write(system.postgres, number, event_type="CREATED", data='{"email":"%s"}' % ("x" * 400_000))
    page = await feed.page(BEGINNING, ALL, 1000)
    assert (ids(page.events), page.is_end) == ([1, 2, 3], False)
    assert ids((await read_all(feed, limit=1000))[0]) == list(range(1, 8))
    seed = Wanted(seed="s")
    assert ids((await read_all(feed, wanted=seed, limit=1000))[0]) == list(range(1, 8))


async def test_another_history_goes_on_where_the_last_one_ended(system, database, connect):
    feed = feed_of(database)
    for number in range(1, 4):
        await write(system.postgres, number)
    # As in a dump of a server that has had far more transactions.
    await system.postgres.execute("update prm_user_event set xid = (9000000000 + id)::text::xid8")
    await system.postgres.execute("insert into tandem_history values (1, 'first', 0, 1)")
    await system.postgres.execute("insert into tandem_history values (2, 'second', 0, 1)")
    slow = await connect()
    async with slow.transaction():
        await write(slow, 11)
        await write(system.postgres, 12)
        events, cursor = await read_all(feed, limit=2)
        assert ids(events) == [1, 2, 3]
    after, end = await read_all(feed, cursor, limit=1)
    assert (ids(after), {event.history for event in after}) == ([11, 12], {2})
    assert ids((await read_all(feed, wanted=Wanted(seed="s")))[0]) == [1, 2, 3, 11, 12]
    # A cursor of the history before, of an event that was lost.
    lost = cursor._replace(era=1, xid=9999999999, kind="user", id=7)
    assert ids((await read_all(feed, lost))[0]) == [11, 12]
    assert await feed.now() == end
    assert await feed.held_back_seconds() == 0


async def test_the_same_history_noted_again_does_not_begin_an_era(system, database, connect):
    await system.postgres.execute("insert into tandem_history values (1, 'first', 0, 1)")
    slow = await connect()
    async with slow.transaction():
        await write(slow, 1)
        await system.postgres.execute("insert into tandem_history values (2, 'first', 0, 1)")
        await write(system.postgres, 2)
        assert ids((await read_all(feed_of(database)))[0]) == []
    assert ids((await read_all(feed_of(database)))[0]) == [1, 2]


async def test_a_cursor_whose_event_is_not_there_any_more_is_refused(system, database):
    feed = feed_of(database)
    await write(system.postgres, 1)
    await write(system.postgres, 2)
    _, cursor = await read_all(feed)
    await system.postgres.execute("delete from prm_user_event where user_id = 2")
    with pytest.raises(CursorLost):
        await feed.page(cursor, ALL, 5)
    with pytest.raises(CursorLost):
        await feed.page(cursor._replace(era=2), ALL, 5)


async def test_many_read_while_many_write(database, connect):
    feed, sessions = feed_of(database), [await connect() for _ in range(5)]
    numbers = iter(range(1, 1_000_000))

    async def fill(connection):
        for _ in range(100):
            async with connection.transaction():
                for _ in range(3):
                    await write(connection, next(numbers))

    async def follow(limit):
        seen, cursor = [], BEGINNING
        while len(seen) < 1500:
            page = await feed.page(cursor, ALL, limit)
            seen += page.events
            cursor = page.cursor
        return [event.cursor for event in seen]

    async with asyncio.timeout(60):
        read = await asyncio.gather(follow(7), follow(100), *map(fill, sessions))
    assert read[0] == read[1]
    assert len(set(read[0])) == 1500


async def test_a_history_that_begins_right_after_the_migration_leaves_older_events_where_they_are(
    system, database
):
    await system.postgres.execute("alter table prm_user_event alter column id restart with 1000")
    await system.postgres.execute(
        "insert into prm_user_event (user_id, version, event_type, seed, app_id, created_at, id, xid) "
        "overriding system value select 7, n, 'DELETED', 's', 'a', now(), n, '0' from generate_series(1, 3) n"
    )
    await system.postgres.execute("insert into tandem_history values (1, 'first', 0, 1)")
    await system.postgres.execute("insert into tandem_history values (2, 'second', 0, 1)")
    await write(system.postgres, 8)
    events, _ = await read_all(feed_of(database))
    assert [(event.id, event.history) for event in events] == [(7, 1), (7, 1), (7, 1), (8, 2)]


FILL = """
INSERT INTO prm_user_event (user_id, version, event_type, event_data, seed, app_id, created_at, format)
SELECT n % 9999999, n, 'CREATED', jsonb_build_object('email', repeat('x', 500)), 's', 'a', now(), 2
FROM generate_series($1::integer, $2::integer) n
"""
# Entries of indexes and rows of partitions that this session has read.
READ = """
SELECT sum(pg_stat_get_xact_tuples_returned(c.oid) + pg_stat_get_xact_tuples_fetched(c.oid))::bigint
FROM pg_class c WHERE c.relname LIKE 'prm_user_event%'
"""


async def test_a_page_reads_no_more_of_the_log_than_it_has(system):
    """With many partitions, a plan kept since the log was empty, and as instances are set."""
    connection = system.postgres
    await connection.execute("select tandem_extend_log(9999999)")
    for name, value in SESSION_SETTINGS.items():
        await connection.execute("select set_config($1, $2, false)", name, value)
    queries = feed_queries("user")
    page = await connection.prepare(queries["page"].sql)
    head = await connection.prepare(queries["head"].sql)
    held_back = await connection.prepare(queries["held_back"].sql)
    wanted = (2**60, 10, 0, 2**53 - 1, None, None, 10)
    await page.fetch(0, 0, *wanted)
    for begin in range(0, 20_000, 2_000):
        await connection.execute(FILL, begin * 500, begin * 500 + 1_999)
    await connection.execute("analyze prm_user_event")
    middle = await connection.fetchrow(
        "select xid::text::bigint as xid, id from prm_user_event order by xid, id offset 9999 limit 1"
    )
    async with connection.transaction():
        before = await system.count(READ)
        assert len(await page.fetch(middle["xid"], middle["id"], *wanted)) == 10
        assert len(await head.fetch(2**60)) == 1
        assert len(await held_back.fetch(middle["xid"], 0)) == 1
        assert await system.count(READ) - before < 500
