"""Those who follow the feed share one poll, are bounded in number, and cost nothing when nobody is there."""

import asyncio
from datetime import timedelta

import pytest

from feeding import ALL, BEGINNING, feed_of, write
from tandem.feed import following as module
from tandem.feed.following import OPENING, FeedFollowing
from tandem.kernel import Overloaded
from waiting import until


@pytest.fixture
async def following(database):
    """With the loop that polls."""
    made = FeedFollowing(feed_of(database))

    async def loop():
        while True:
            await asyncio.sleep(await made.run_once() / 10)

    task = asyncio.create_task(loop())
    yield made
    task.cancel()


async def opened(following):
    return following.stream(await following.page(BEGINNING, ALL, 10), ALL)


async def test_all_who_wait_share_one_poll_and_nobody_who_waits_none(following, system):
    streams = [await opened(following) for _ in range(5)]
    assert following.polls == 0
    for stream in streams:
        assert (await anext(stream)).startswith(OPENING)
    waiting = [asyncio.ensure_future(anext(stream)) for stream in streams]
    await until(lambda: asyncio.sleep(0, following.polls > 3), "some polls")
    await write(system.postgres, 1)
    frames = await asyncio.gather(*waiting)
    assert len(set(frames)) == 1
    assert b'"id":1,' in frames[0]
    for stream in streams:
        await stream.aclose()
    assert following.followers == 0


async def test_too_many_are_refused(following, monkeypatch):
    monkeypatch.setattr(module, "MOST_FOLLOWERS", 2)
    streams = [await opened(following) for _ in range(3)]
    for stream in streams[:2]:
        await anext(stream)
    with pytest.raises(Overloaded):
        following.require_room()
    with pytest.raises(Overloaded):
        await following.page_within(BEGINNING, ALL, 5, 1.0)
    assert [frame async for frame in streams[2]] == []
    await streams[0].aclose()
    following.require_room()


async def test_a_stream_ends_after_its_time_and_beats_until_then(database, monkeypatch):
    monkeypatch.setattr(module, "SECONDS_BETWEEN_HEARTBEATS", 0.01)
    monkeypatch.setattr(module, "LONGEST_STREAM", timedelta(seconds=0.2))
    following = FeedFollowing(feed_of(database))
    stream = await opened(following)
    frames = [frame async for frame in stream]
    assert frames[0].startswith(OPENING)
    assert b":\n\n" in frames


async def test_a_stream_that_cannot_go_on_ends(database, system, following):
    await write(system.postgres, 1)
    stream = await opened(following)
    assert b'"id":1,' in await anext(stream)
    await system.postgres.execute("delete from prm_user_event")
    assert [frame async for frame in stream] == []
