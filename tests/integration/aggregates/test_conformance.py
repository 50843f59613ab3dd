"""What every pair of stores has to keep of `aggregates.ports`: those in memory, and the two databases."""

import asyncio
from dataclasses import replace
from itertools import count

import msgspec
import pytest
from orders import ORDERS
from orders.order import CancelOrder, Line, Order, OrderPlaced, PayOrder, PlaceOrder, ShipOrder

import pairs
from tandem.aggregates.documents import document_of
from tandem.aggregates.drafts import Draft
from tandem.aggregates.events import state_after
from tandem.aggregates.messages import Refresh, Sent
from tandem.delivery.idempotency import Idempotency, KeyReused, KeyTaken
from tandem.delivery.rejections import Rejection
from waiting import until

LINES = (Line("tea", 2, 350), Line("cup", 1, 900))
# Orders whose commands change nothing.
IDLE = replace(ORDERS, decide=lambda command, order: [])
MANY = 10_000
#: Numbers that no other test has: for users, keys and documents.
numbers = count(1)


@pytest.fixture(scope="module")
async def in_databases(servers):
    async with pairs.in_databases(servers) as pair:
        yield pair


@pytest.fixture(params=["memory", "databases"])
def stores(request, in_databases) -> pairs.Pair:
    return pairs.in_memory() if request.param == "memory" else in_databases


@pytest.fixture
async def life(stores) -> int:
    return await stores.begin()


def some_key() -> Idempotency:
    return Idempotency(f"key-{next(numbers)}", b"f" * 32)


def new_order(user_id=7, key=None) -> Draft:
    """An order that is placed."""
    draft = Draft(ORDERS, None, None)
    draft.decide(Sent(PlaceOrder(user_id, LINES), "run", idempotency=key))
    return draft


async def change(stores, id_, *commands, aggregate=ORDERS, cause=None, key=None) -> Draft:
    """A draft of what these commands make of an order; the last one has the key."""
    draft = Draft(aggregate, id_, (await stores.commands.read([id_]))[id_])
    for place, command in enumerate(commands, 1):
        draft.decide(Sent(command, id=id_, cause=cause, idempotency=key if place == len(commands) else None))
    return draft


async def placed(stores, life, *commands, key=None) -> int:
    """The id of a new order, on which these commands were carried out."""
    draft = new_order(key=key)
    await stores.commands.record([draft], life)
    if commands:
        await stores.commands.record([await change(stores, draft.id, *commands)], life)
    return draft.id


async def events_of(stores, id_) -> list[tuple[int, str]]:
    return [(one.version, one.event_type) for one in await stores.commands.events(id_)]


async def test_what_was_recorded_is_read(stores, life):
    one, other = new_order(), new_order(user_id=8)
    await stores.commands.record([one, other], life)
    assert one.committed_at is not None
    assert one.id != other.id
    found = await stores.commands.read([one.id, other.id, 0])
    assert found.keys() == {one.id, other.id}
    stored = found[one.id]
    assert (stored.id, stored.seed, stored.version, stored.state) == (one.id, "run", 1, Order(7, LINES))
    assert (stored.created_at, stored.updated_at, stored.app_id) == (one.committed_at, None, one.app_id)
    assert found[other.id].state.user_id == 8


async def test_a_draft_of_an_older_version_is_left_out(stores, life):
    id_ = await placed(stores, life)
    key = some_key()
    first = await change(stores, id_, PayOrder(1600))
    late = await change(stores, id_, CancelOrder("no"), key=key)
    await stores.commands.record([first], life)
    beside = new_order()
    await stores.commands.record([late, beside], life)
    assert late.committed_at is None
    assert beside.committed_at is not None
    assert await events_of(stores, id_) == [(1, "OrderPlaced"), (2, "OrderPaid")]
    assert await stores.commands.find_by_keys([key.key]) == {}
    stored = (await stores.commands.read([id_]))[id_]
    assert (stored.version, stored.state.status, stored.updated_at) == (2, "paid", first.committed_at)


async def test_several_commands_on_one_order_are_written_together(stores, life):
    id_ = await placed(stores, life, PayOrder(1600))
    shipped = await change(stores, id_, ShipOrder("p1"), CancelOrder("too late"))
    await stores.commands.record([shipped, new_order()], life)
    assert await events_of(stores, id_) == [(1, "OrderPlaced"), (2, "OrderPaid"), (3, "OrderShipped")]
    stored = (await stores.commands.read([id_]))[id_]
    assert (stored.version, stored.state) == (3, Order(7, LINES, "shipped", None, "p1"))


async def test_a_key_is_taken_once_and_nothing_is_written_beside_it(stores, life):
    key = some_key()
    id_ = await placed(stores, life, key=key)
    again, beside = new_order(key=key), await change(stores, id_, PayOrder(1600))
    with pytest.raises(KeyTaken):
        await stores.commands.record([again, beside], life)
    assert (again.committed_at, again.id, beside.committed_at) == (None, None, None)
    assert await events_of(stores, id_) == [(1, "OrderPlaced")]


async def test_a_key_stands_for_what_its_command_had_led_to(stores, life):
    first, second = some_key(), some_key()
    id_ = await placed(stores, life, key=first)
    paid = await change(stores, id_, PayOrder(1600), key=second)
    await stores.commands.record([paid], life)
    await stores.commands.record([await change(stores, id_, ShipOrder("p1"))], life)
    found = await stores.commands.find_by_keys([first.key, second.key, "of nobody"])
    assert found.keys() == {first.key, second.key}
    assert {one.fingerprint for one in found.values()} == {first.fingerprint}
    then = found[first.key].result.stored
    assert (then.id, then.version, then.state, then.updated_at) == (id_, 1, Order(7, LINES), None)
    then = found[second.key].result.stored
    assert (then.id, then.version, then.state.status) == (id_, 2, "paid")
    assert then.updated_at == paid.committed_at


async def test_a_command_that_changes_nothing_takes_its_key(stores, life):
    key = some_key()
    id_ = await placed(stores, life)
    idle = await change(stores, id_, PayOrder(1600), aggregate=IDLE, key=key)
    await stores.commands.record([idle], life)
    assert idle.committed_at is None
    assert await events_of(stores, id_) == [(1, "OrderPlaced")]
    assert (await stores.commands.find_by_keys([key.key]))[key.key].result.stored.version == 1
    with pytest.raises(KeyTaken):
        await stores.commands.record([idle], life)


async def test_a_rejection_that_is_kept_stands_for_its_key_and_no_other_answer_does(stores, life):
    rejected, taken = some_key(), some_key()
    id_ = await placed(stores, life, key=taken)
    await stores.commands.keep_rejection(rejected, "no")
    await stores.commands.keep_rejection(rejected, "not again")
    await stores.commands.keep_rejection(taken, "too late")
    found = await stores.commands.find_by_keys([rejected.key, taken.key])
    assert str(found[rejected.key].result) == "no"
    assert found[taken.key].result.stored.id == id_
    with pytest.raises(KeyTaken):
        await stores.commands.record([await change(stores, id_, PayOrder(1600), key=rejected)], life)
    with pytest.raises(Rejection, match="no"):
        await stores.flow(life).execute(Sent(PayOrder(1600), id=id_, idempotency=rejected))


async def test_one_key_is_one_order_however_often_it_is_sent(stores, life):
    flow, key = stores.flow(life), some_key()
    sent = Sent(PlaceOrder(7, LINES), "run", idempotency=key)
    copies = [msgspec.structs.replace(sent) for _ in range(5)]
    outcomes = await asyncio.gather(*map(flow.execute, copies))
    outcomes.append(await flow.execute(sent))
    [id_] = {one.stored.id for one in outcomes}
    assert await flow.acknowledgements.is_synchronized(id_, 60)
    assert [one.is_replayed for one in outcomes] == [False, *[True] * 5]
    with pytest.raises(KeyReused):
        await flow.execute(msgspec.structs.replace(sent, idempotency=Idempotency(key.key, b"other")))


async def test_events_say_in_order_what_has_happened_and_why(stores, life):
    id_ = await placed(stores, life)
    await stores.commands.record([await change(stores, id_, CancelOrder("no"), cause="order/refuse")], life)
    refreshed = Draft(ORDERS, id_, (await stores.commands.read([id_]))[id_])
    refreshed.decide(Sent(Refresh(), id=id_, cause="order/show-customer"))
    await stores.commands.record([refreshed], life)
    await stores.commands.synchronize([(id_, 3)])
    events = await stores.commands.events(id_)
    assert [(one.version, one.event_type, one.cause) for one in events] == [
        (1, "OrderPlaced", None),
        (2, "OrderCancelled", "order/refuse"),
        (3, "REFRESHED", "order/show-customer"),
        (3, "SYNCRONIZED", None),
    ]
    assert {(one.format, one.seed) for one in events} == {(1, "run")}
    assert msgspec.json.decode(events[0].event_data, type=OrderPlaced) == OrderPlaced(7, LINES)
    assert msgspec.json.decode(events[1].event_data) == {"reason": "no"}
    assert [one.event_data for one in events[2:]] == [None, None]
    assert [one.created_at for one in events] == sorted(one.created_at for one in events)
    stored = (await stores.commands.read([id_]))[id_]
    assert stored.state == state_after(ORDERS, events) == Order(7, LINES, "cancelled", "no")
    assert await stores.commands.events(0) == []


async def test_only_this_version_or_a_later_one_ends_what_is_pending(stores, life):
    one, other = await placed(stores, life, PayOrder(1600)), await placed(stores, life)
    assert await stores.commands.not_synchronized([one, other, 0]) == {one, other}
    await stores.commands.synchronize([(one, 1), (other, 5)])
    assert await stores.commands.not_synchronized([one, other]) == {one}
    await stores.commands.synchronize([(one, 1), (one, 2)])
    await stores.commands.synchronize([(one, 2)])
    assert await stores.commands.not_synchronized([one, other]) == set()
    assert await events_of(stores, one) == [(1, "OrderPlaced"), (2, "OrderPaid"), (2, "SYNCRONIZED")]
    assert await events_of(stores, other) == [(1, "OrderPlaced"), (1, "SYNCRONIZED")]


async def test_only_what_is_pending_at_this_version_is_set_aside(stores, life):
    id_ = await placed(stores, life, PayOrder(1600))
    for version in (1, 3):
        await stores.commands.set_aside([(id_, version, "why")])
    await stores.commands.synchronize([(id_, 2)])
    assert await stores.commands.not_synchronized([id_]) == set()
    await stores.commands.record([await change(stores, id_, ShipOrder("p1"))], life)
    await stores.commands.set_aside([(id_, 3, "why")])
    await stores.commands.synchronize([(id_, 3)])
    assert await stores.commands.not_synchronized([id_]) == {id_}
    assert (await events_of(stores, id_))[-1] == (3, "OrderShipped")


async def test_a_change_takes_an_order_back_into_the_flow(stores, life):
    id_ = await placed(stores, life)
    await stores.commands.set_aside([(id_, 1, "why")])
    await stores.commands.record([await change(stores, id_, CancelOrder("no"))], life)
    await stores.commands.synchronize([(id_, 2)])
    assert await stores.commands.not_synchronized([id_]) == set()


async def claimed(stores, life, held=()) -> list[int]:
    return [one.id for one in (await stores.commands.claim(life, held, MANY)).work]


async def test_pending_work_is_claimed_from_the_dead_alone(stores, life):
    id_, other = await placed(stores, life, PayOrder(1600)), await stores.begin()
    assert id_ not in await claimed(stores, other)
    await stores.end(life)
    work = {one.id: one for one in (await stores.commands.claim(other, [], MANY)).work}
    assert (work[id_].version, work[id_].state.status) == (2, "paid")
    third = await stores.begin()
    assert id_ not in await claimed(stores, third)
    assert id_ not in await claimed(stores, other, held=[id_])


async def test_own_work_that_was_forgotten_is_claimed_again(stores, life):
    held, forgotten = await placed(stores, life), await placed(stores, life)

    async def is_claimed() -> bool:
        found = await claimed(stores, life, held=[held])
        assert held not in found
        return forgotten in found

    await until(is_claimed, "what was forgotten is claimed")


async def test_no_more_is_claimed_than_was_asked_for(stores, life):
    ids = [await placed(stores, life) for _ in range(3)]
    await stores.commands.synchronize([(ids[1], 1)])
    await stores.commands.set_aside([(ids[2], 1, "why")])
    await stores.end(life)
    other = await stores.begin()
    found: list[int] = []
    while work := (await stores.commands.claim(other, found, 1)).work:
        assert len(work) == 1
        found.append(work[0].id)
    assert set(found) & set(ids) == {ids[0]}
    assert len(set(found)) == len(found)


async def test_lookups_find_what_the_state_is_now(stores, life):
    user_id = 1_000_000 + next(numbers)
    drafts = [new_order(user_id=user_id) for _ in range(4)]
    await stores.commands.record([*drafts, new_order()], life)
    ids = sorted(draft.id for draft in drafts)
    await stores.commands.record([await change(stores, ids[1], CancelOrder("no"))], life)
    assert await stores.commands.ids("orders_of_user", [user_id], 0) == ids
    assert await stores.commands.ids("orders_of_user", [user_id], ids[1]) == ids[2:]
    assert await stores.commands.ids("open_orders_of_user", [user_id], 0) == [ids[0], *ids[2:]]
    assert await stores.commands.ids("orders_of_user", [0], 0) == []


async def test_a_lookup_finds_a_thousand_at_a_time(stores, life):
    user_id = 1_000_000 + next(numbers)
    drafts = [new_order(user_id=user_id) for _ in range(1_003)]
    await stores.commands.record(drafts, life)
    ids = sorted(draft.id for draft in drafts)
    first = await stores.commands.ids("orders_of_user", [user_id], 0)
    assert first == ids[:1_000]
    assert await stores.commands.ids("orders_of_user", [user_id], first[-1]) == ids[1_000:]


async def versions_shown(stores, life) -> list[dict]:
    """The documents of three versions of one order, which is deleted in the end."""
    id_ = await placed(stores, life, PayOrder(1600))
    stored = (await stores.commands.read([id_]))[id_]
    versions = [
        msgspec.structs.replace(stored, version=1, state=Order(7, LINES)),
        stored,
        msgspec.structs.replace(stored, version=3, state=None),
    ]
    documents = [document_of(ORDERS, one, {"customer": None}) for one in versions]
    # MongoDB answers tuples as lists.
    return [
        {name: list(value) if isinstance(value, tuple) else value for name, value in one.items()}
        for one in documents
    ]


async def version_there(stores, id_) -> int:
    return (await stores.documents.find_by_ids([id_]))[id_]["version"]


async def test_documents_are_read_as_they_were_written(stores, life):
    first, second, _ = await versions_shown(stores, life)
    id_ = first["_id"]
    assert await stores.documents.find_by_ids([id_]) == {}
    for _ in range(2):
        assert await stores.documents.write([first]) == {}
        assert await stores.documents.find_by_ids([id_, 0]) == {id_: first}
    for _ in range(2):
        assert await stores.documents.write_later_versions([second]) == {}
        assert await stores.documents.find_by_ids([id_]) == {id_: second}


@pytest.mark.parametrize("write", ["write", "write_later_versions"])
async def test_documents_may_come_in_any_order(stores, life, write):
    first, second, tombstone = await versions_shown(stores, life)
    for documents, version in [([second], 2), ([first], 2), ([tombstone], 3), ([second], 3)]:
        assert await getattr(stores.documents, write)(documents) == {}
        assert await version_there(stores, first["_id"]) == version
    found = (await stores.documents.find_by_ids([first["_id"]]))[first["_id"]]
    assert found.keys() == tombstone.keys()


@pytest.mark.parametrize("write", ["write", "write_later_versions"])
async def test_somebody_elses_document_stays(stores, life, write):
    first, second, _ = await versions_shown(stores, life)
    foreign = first | {"seed": "another run"}
    beside = (await versions_shown(stores, life))[0]
    await stores.documents.write([foreign])
    refused = await getattr(stores.documents, write)([second, beside])
    assert refused.keys() == {first["_id"]}
    assert "identity conflict: MongoDB has another order under this id" in refused[first["_id"]]
    both = [first["_id"], beside["_id"]]
    assert await stores.documents.find_by_ids(both) == {both[0]: foreign, both[1]: beside}


async def test_a_document_that_mongodb_cannot_hold_is_refused(stores, life):
    first = (await versions_shown(stores, life))[0] | {"cents": 2**64}
    refused = await stores.documents.write([first])
    assert refused == {first["_id"]: "OverflowError: it cannot be sent to MongoDB as it is."}
    assert await stores.documents.find_by_ids([first["_id"]]) == {}


async def task_of(stores, life, id_):
    """The task of an order, if this life can claim it."""
    tasks = await stores.tasks.claim(life, MANY)
    found = [task for task in tasks if task.happened.id == id_]
    assert len(found) <= 1
    for task in tasks:
        if task not in found:
            stores.tasks.let_go(task)
    return found[0] if found else None


async def test_a_reaction_is_written_with_its_event_and_claimed_once(stores, life):
    id_, other = await placed(stores, life), await stores.begin()
    assert await task_of(stores, other, id_) is None
    await stores.end(life)
    task = await task_of(stores, other, id_)
    happened = task.happened
    assert task.name == "order/refuse"
    assert (happened.kind, happened.id, happened.version, happened.seed) == ("order", id_, 1, "run")
    assert (happened.type, happened.event) == ("OrderPlaced", OrderPlaced(7, LINES))
    assert await task_of(stores, other, id_) is None
    await stores.tasks.finish(task, other)
    stores.tasks.let_go(task)
    await stores.end(other)
    assert await task_of(stores, await stores.begin(), id_) is None


async def test_only_who_has_a_reaction_in_hand_may_write_of_it(stores, life):
    id_, other = await placed(stores, life), await stores.begin()
    await stores.end(life)
    task = await task_of(stores, other, id_)
    await stores.tasks.finish(task, life)
    await stores.tasks.put_off(task, life, 3600, "Error")
    await stores.end(other)
    third = await stores.begin()
    again = await task_of(stores, third, id_)
    assert again.happened == task.happened
    await stores.tasks.finish(task, other)
    await stores.end(third)
    assert await task_of(stores, await stores.begin(), id_) is not None


async def test_a_reaction_that_was_let_go_is_claimed_again(stores, life):
    id_, other = await placed(stores, life), await stores.begin()
    await stores.end(life)
    stores.tasks.let_go(await task_of(stores, other, id_))

    async def is_claimed() -> bool:
        return await task_of(stores, other, id_) is not None

    await until(is_claimed, "what was let go is claimed")


async def test_what_is_put_off_is_left_alone_for_so_long(stores, life):
    at_once, later = [await placed(stores, life) for _ in range(2)]
    other = await stores.begin()
    await stores.end(life)
    tasks = [task for task in await stores.tasks.claim(other, MANY) if task.happened.id in (at_once, later)]
    for task in tasks:
        seconds = 0 if task.happened.id == at_once else 3600
        await stores.tasks.put_off(task, other, seconds, "ValueError")
        stores.tasks.let_go(task)
    third = await stores.begin()
    found = {task.happened.id for task in await stores.tasks.claim(third, MANY)}
    assert found & {at_once, later} == {at_once}
