"""The feed when PostgreSQL is another one: a standby that lagged, and a copy of the files from before."""

import pytest

from feeding import ids, read_all
from proxy import Proxy, port_of, through
from standby import copy_cluster, standby_of, started
from systems import commands, create, create_soon
from tandem.app import run_instance
from tandem.feed.errors import CursorLost
from tandem.feed.pages import Wanted

CREATED = Wanted(types=["CREATED"])
pytestmark = pytest.mark.slow


async def test_after_a_failover_a_cursor_goes_on_with_all_that_is_new_and_nothing_twice(
    own_servers, own_system, new_place
):
    """What a subscriber has read of the lost server was written by transactions whose numbers come again."""
    async with (
        Proxy(port_of(own_system.urls.postgres_service_url)) as name,
        standby_of(own_servers, new_place()) as standby,
        run_instance(through(own_system, postgres=name).settings()) as instance,
    ):
        feed = instance.adapters.feed
        kept = await create(instance, commands(20, "kept"))
        await own_system.until_synchronized(20)
        database = await own_system.postgres.fetchval("select current_database()")
        await standby.until_it_has(database, 20)
        before, early = await read_all(feed, wanted=CREATED)
        await standby.stop_following()
        for number in range(5):
            await create(instance, commands(8, f"lost {number}"))
        await own_system.until_synchronized(60)
        _, late = await read_all(feed, early)
        await standby.promote()
        name.move_to(standby.port)
        new = await create_soon(instance, commands(30, "new"))

        for cursor in (early, late):
            after, _ = await read_all(feed, cursor, CREATED, limit=7)
            assert sorted(ids(after)) == sorted(user.id for user in new)
            assert {event.history for event in after} == {2}
        whole, _ = await read_all(feed, wanted=CREATED, limit=7)
        assert sorted(ids(whole)) == sorted(user.id for user in [*kept, *new])
        assert ids(whole)[:20] == ids(before)


async def test_a_cursor_of_files_that_were_replaced_by_older_ones_is_refused(
    own_servers, own_system, new_place
):
    """The same history, so nothing but the event of the cursor can tell."""
    async with (
        Proxy(port_of(own_system.urls.postgres_service_url)) as name,
        run_instance(through(own_system, postgres=name).settings()) as instance,
    ):
        feed = instance.adapters.feed
        kept = await create(instance, commands(10, "kept"))
        await own_system.until_synchronized(10)
        _, early = await read_all(feed)
        files = await copy_cluster(own_servers.postgres, new_place() / "copy")
        await create(instance, commands(50, "lost"))
        await own_system.until_synchronized(60)
        _, late = await read_all(feed)
        async with started(files):
            name.move_to(files.port)
            new = await create_soon(instance, commands(5, "new"))
            with pytest.raises(CursorLost):
                await feed.page(late, CREATED, 5)
            after, _ = await read_all(feed, early, CREATED)
            assert sorted(ids(after)) == sorted(user.id for user in new)
            whole, _ = await read_all(feed, wanted=CREATED)
            assert sorted(ids(whole)) == sorted(user.id for user in [*kept, *new])
