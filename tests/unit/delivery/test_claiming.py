"""Recovery without servers, for a kind of work that the program has none of."""

from datetime import timedelta

import pytest

from tandem.delivery.lease import Lease
from tandem.delivery.pending import Claimed, Unreadable
from tandem.delivery.queries import queries_of
from tandem.delivery.recovery import MOST_A_CLAIM, SECONDS_BETWEEN_CLAIMS, SECONDS_BETWEEN_LOOKS, Recovery


class Orders:
    """Pending orders and their flow, in memory; order 13 cannot be read."""

    def __init__(self, *ids: int, room: int = 10) -> None:
        self.idle = list(ids)
        self.free = room
        self.under_way: list[int] = []
        self.dead: list[Unreadable] = []
        self.asked: list[int] = []

    async def claim(self, incarnation, held, most):
        assert incarnation == 0
        self.asked.append(most)
        taken = [one for one in self.idle if one not in held][:most]
        self.idle = [one for one in self.idle if one not in taken]
        unreadable = [Unreadable(one, 1, "cannot be read") for one in taken if one == 13]
        return Claimed([f"order {one}" for one in taken if one != 13], unreadable)

    def resume(self, work):
        self.under_way.append(int(work.removeprefix("order ")))

    def set_aside(self, unreadable):
        self.dead.append(unreadable)

    def room(self):
        return self.free

    def in_flight(self):
        return self.under_way


def recovery_of(orders: Orders) -> Recovery[str]:
    lease = Lease(None, "instance-1", timedelta(seconds=5))  # type: ignore[arg-type]  # never begins
    return Recovery(orders, lease, orders)


async def test_what_nobody_works_on_goes_on_and_what_cannot_be_read_is_set_aside():
    orders = Orders(7, 13, 21)
    recovery = recovery_of(orders)
    told: list[str] = []
    recovery.observers.append(told.extend)
    assert await recovery.run_once() == SECONDS_BETWEEN_CLAIMS
    assert orders.under_way == [7, 21]
    assert [one.id for one in orders.dead] == [13]
    assert (recovery.claimed, told) == (2, ["order 7", "order 21"])
    assert await recovery.run_once() >= SECONDS_BETWEEN_LOOKS


async def test_no_more_is_claimed_than_there_is_room_for():
    orders = Orders(*range(20, 30), room=3)
    assert await recovery_of(orders).claim() == 3
    orders.free = -1
    assert await recovery_of(orders).claim() == 0
    orders.free = 10 * MOST_A_CLAIM
    await recovery_of(orders).claim()
    assert orders.asked == [3, MOST_A_CLAIM]


def test_each_kind_of_work_has_tables_of_its_own():
    queries = queries_of("order")
    assert "FROM prm_order_pending p" in queries["claim_pending"].sql
    assert "p.order_id" in queries["claim_pending"].sql
    assert not any("{" in query.sql or "user_" in query.sql for query in queries.values())
    assert queries.keys() == queries_of("user").keys()


@pytest.mark.parametrize("kind", ["", "a b", "user; drop table prm_user", "User"])
def test_a_kind_is_no_sql(kind):
    with pytest.raises(ValueError, match="only lower-case letters"):
        queries_of(kind)
