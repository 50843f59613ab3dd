"""Lists and searches of several cells, against one sorted list of all users."""

import asyncio
import json

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from tandem.kernel import Unavailable
from tandem.kernel.cells import Everywhere, Part, SilentCells, Voice
from tandem.user_query.everywhere import merged
from tandem.user_query.lists import Listed, UserLists
from tandem.user_query.merged_lists import AllLists
from tandem.user_query.search import Found, FoundUser, Total

# Which users each cell has: ids are anywhere, as where a system with dense ids has become cell 0.
CELLS = some.lists(some.sets(some.integers(1, 400), max_size=150), min_size=1, max_size=4).map(
    lambda cells: [sorted(ids - set().union(*cells[:number])) for number, ids in enumerate(cells)]
)


class StoredUsers:
    """The users of a cell, as `UserQueryRepository` pages through them."""

    def __init__(self, ids, broken_after=None):
        self.ids = ids
        self.broken_after = broken_after
        self.most_read = 0

    async def page(self, limit, after, seed=None, through=None, *, projection=None):
        if self.broken_after is not None and after >= self.broken_after:
            raise Unavailable("MongoDB does not answer")
        found = [id_ for id_ in self.ids if after < id_ <= (through or 1000)][:limit]
        self.most_read = max(self.most_read, len(found))
        return [{"_id": id_, "version": 1} for id_ in found]


def lists_of(cells):
    """The lists of cells with these users; the first one is asked."""
    own, *others = (UserLists(each if isinstance(each, StoredUsers) else StoredUsers(each)) for each in cells)
    parts = {number: Part(number, each, Voice()) for number, each in enumerate(others, 1)}
    return AllLists(Everywhere(own, 0, Voice(), parts))


async def ids_of(lists, wanted):
    """The ids of a list that is sent in pieces."""
    pieces, _ = await lists.pieces(wanted)
    return [user["_id"] for user in json.loads(b"".join([piece async for piece in pieces]))]


@given(cells=CELLS, limit=some.integers(1, 300), after=some.integers(0, 400))
@settings(max_examples=60, deadline=None)
def test_a_list_is_that_of_all_users_together(cells, limit, after):
    expected = sorted(id_ for ids in cells for id_ in ids if id_ > after)[:limit]

    async def check():
        lists = lists_of(cells)
        assert await ids_of(lists, Listed(limit, after)) == expected
        short, silent = await lists.short(Listed(min(limit, 25), after))
        assert [user["_id"] for user in json.loads(short)] == expected[:25][: min(limit, 25)]
        assert not silent

    asyncio.run(check())


async def test_of_a_long_list_no_more_than_a_piece_of_each_cell_is_read_at_a_time():
    stored = [StoredUsers(list(range(number, 1000, 3))) for number in range(1, 4)]
    assert await ids_of(lists_of(stored), Listed(1000, 0)) == list(range(1, 1000))
    assert max(each.most_read for each in stored) <= 100


async def test_a_cell_that_is_silent_when_a_list_begins_is_left_out_and_named():
    lists = lists_of([[1, 4], StoredUsers([2, 5], broken_after=0), [3, 6]])
    users, silent = await lists.short(Listed(10, 0))
    assert [user["_id"] for user in json.loads(users)] == [1, 3, 4, 6]
    assert silent == [1]


async def test_a_complete_list_does_without_no_cell():
    lists = lists_of([[1, 4], StoredUsers([2, 5], broken_after=0)])
    with pytest.raises(SilentCells, match="Cell 1"):
        await lists.short(Listed(10, 0, through=100))


async def test_a_list_breaks_off_where_a_cell_falls_silent():
    lists = lists_of([list(range(1, 400, 2)), StoredUsers(list(range(2, 400, 2)), broken_after=10)])
    pieces, silent = await lists.pieces(Listed(1000, 0))
    assert not silent
    with pytest.raises(SilentCells, match="Cell 1"):
        [piece async for piece in pieces]


def search(ids, after, limit, most_examined, newest_first):
    """What a cell answers where the even ids meet the conditions."""
    window = [id_ for id_ in ids if id_ > after]
    if newest_first:
        window = [id_ for id_ in reversed(ids) if not after or id_ < after]
    end = window[most_examined - 1] if len(window) >= most_examined else None
    found = [id_ for id_ in window[:most_examined] if id_ % 2 == 0]
    if len(found) >= limit:
        found, end = found[:limit], found[limit - 1]
    users = [FoundUser(id_, msgspec.Raw(b"%d" % id_)) for id_ in found]
    return Found(users, end, len(window), Total(len(found), end is None))


@given(cells=CELLS, limit=some.integers(1, 20), most_examined=some.integers(1, 40), newest=some.booleans())
@settings(max_examples=200, deadline=None)
def test_a_search_that_goes_on_finds_each_user_once_and_in_order(cells, limit, most_examined, newest):
    seen = []
    after = 0
    while after is not None:
        answers = [search(ids, after, limit, most_examined, newest) for ids in cells]
        found = merged(answers, limit, newest)
        assert len(found.users) <= limit
        assert found.total.users == sum(answer.total.users for answer in answers)
        assert found.total.is_exact == all(answer.next is None for answer in answers)
        seen += [user.id for user in found.users]
        assert found.next is None or not after or (found.next < after if newest else found.next > after)
        after = found.next
    assert seen == sorted((id_ for ids in cells for id_ in ids if id_ % 2 == 0), reverse=newest)


def test_a_merged_answer_ends_when_it_becomes_long():
    long = [Found([FoundUser(id_, msgspec.Raw(b"x" * 200_000))], None, 1) for id_ in (5, 3, 9)]
    found = merged(long, 10)
    assert ([user.id for user in found.users], found.next) == ([3, 5], 5)
