"""Events that were moved into files are not skipped silently."""

import gzip

import msgspec
import pytest

from command_line import run_tandem
from feeding import ALL, BEGINNING, feed_of, ids, read_all, write
from tandem.feed.errors import EventsArchived
from tandem.feed.pages import Wanted


@pytest.fixture
async def archive(system, tmp_path):
    """Moves the first partition into a file."""

    async def move():
        options = ("--to", str(tmp_path / "files"), "--older-than", "0")
        exit_code, said = await run_tandem(
            "events", "archive", *options, POSTGRES_URL=system.urls.postgres_owner_url, MONGODB_URL="unused"
        )
        assert exit_code == 0, said

    await system.postgres.execute("select setval('prm_user_id_seq', 5000001)")
    await system.postgres.execute("select tandem_extend_log()")
    return move


async def test_who_has_not_read_what_was_moved_is_told_and_goes_on_with_the_files(
    system, database, archive, tmp_path
):
    feed = feed_of(database)
    for user_id in (1, 5_000_001, 2):
        await write(system.postgres, user_id)
    early = (await feed.page(BEGINNING, ALL, 1)).cursor
    _, end = await read_all(feed)
    await archive()
    for place in (BEGINNING, early):
        with pytest.raises(EventsArchived, match=r"archived=1`: prm_user_event_p0-1\.jsonl\.gz"):
            await feed.page(place, ALL, 5)
    await write(system.postgres, 5_000_002)
    # Whoever kept up goes on, though the event of the cursor is in a file now.
    assert ids((await read_all(feed, end))[0]) == [5_000_002]
    (file,) = (tmp_path / "files").glob("*.gz")
    lines = [msgspec.json.decode(line) for line in gzip.decompress(file.read_bytes()).splitlines()]
    rest, cursor = await read_all(feed, wanted=Wanted(archived=1), limit=1)
    assert sorted([line["user_id"] for line in lines] + ids(rest)) == [1, 2, 5_000_001, 5_000_002]
    assert ids((await read_all(feed, early, Wanted(archived=1)))[0]) == [5_000_001, 5_000_002]
    assert await read_all(feed, cursor) == ([], cursor)

    # What is moved later is another archive.
    await write(system.postgres, 3)
    await archive()
    with pytest.raises(EventsArchived, match="archived=2"):
        await feed.page(end, Wanted(archived=1), 5)


async def test_now_is_after_what_was_moved(system, database, archive):
    feed = feed_of(database)
    await write(system.postgres, 1)
    await archive()
    now = await feed.now()
    assert await read_all(feed, now) == ([], now)
    await write(system.postgres, 5_000_001)
    assert ids((await read_all(feed, now))[0]) == [5_000_001]


async def test_what_was_moved_of_a_restored_dump_holds_up_nobody_after_it(system, database, archive):
    """Its transactions have higher numbers than those of the server that it was restored to."""
    feed = feed_of(database)
    await write(system.postgres, 1)
    await system.postgres.execute("update prm_user_event set xid = '9000000000'")
    await system.postgres.execute("insert into tandem_history values (1, 'first', 0, 1)")
    await system.postgres.execute("insert into tandem_history values (2, 'second', 0, 1)")
    await write(system.postgres, 2)
    await write(system.postgres, 5_000_001)
    _, end = await read_all(feed)
    await archive()
    await write(system.postgres, 5_000_002)
    assert ids((await read_all(feed, end))[0]) == [5_000_002]
