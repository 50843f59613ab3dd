"""The coalescer's contract. The handlers here are the tests' own; gates stand where a server would work."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta

import msgspec
import pytest

from tandem.kernel import Backoff, BatchPolicy, Coalescer, Overloaded, Unavailable


class Recorder:
    """A handler that records its batches and waits at a gate."""

    def __init__(self, *, open_gate: bool = False) -> None:
        self.batches: list[list[int]] = []
        self.started = asyncio.Event()
        self.gate = asyncio.Event()
        if open_gate:
            self.gate.set()

    async def __call__(self, items: Sequence[int]) -> Sequence[int]:
        self.batches.append(list(items))
        self.started.set()
        await self.gate.wait()
        return [item * 10 for item in items]


async def test_a_lone_item_goes_at_once_as_a_batch_of_one():
    recorder = Recorder(open_gate=True)
    coalescer = Coalescer("test", recorder)
    assert await coalescer.submit(1) == 10
    assert recorder.batches == [[1]]


async def test_what_arrives_in_one_round_of_the_loop_goes_together():
    recorder = Recorder(open_gate=True)
    coalescer = Coalescer("test", recorder)
    assert await asyncio.gather(*(coalescer.submit(item) for item in range(5))) == [0, 10, 20, 30, 40]
    assert recorder.batches == [[0, 1, 2, 3, 4]]


async def test_what_arrives_while_a_batch_is_in_flight_forms_the_next():
    recorder = Recorder()
    coalescer = Coalescer("test", recorder)
    first = coalescer.submit(1)
    await recorder.started.wait()
    others = [coalescer.submit(item) for item in (2, 3, 4)]
    recorder.gate.set()
    assert await first == 10
    assert await asyncio.gather(*others) == [20, 30, 40]
    assert recorder.batches == [[1], [2, 3, 4]]


async def test_no_batch_is_larger_than_allowed():
    recorder = Recorder(open_gate=True)
    coalescer = Coalescer("test", recorder, BatchPolicy(max_batch=2))
    await asyncio.gather(*(coalescer.submit(item) for item in range(5)))
    assert recorder.batches == [[0, 1], [2, 3], [4]]


async def test_as_many_batches_are_in_flight_as_there_are_lanes():
    recorder = Recorder()
    coalescer = Coalescer("test", recorder, BatchPolicy(max_batch=1, max_in_flight=2))
    futures = [coalescer.submit(item) for item in range(3)]
    while len(recorder.batches) < 2:
        await asyncio.sleep(0)
    assert (len(recorder.batches), coalescer.waiting, len(coalescer)) == (2, 1, 3)
    recorder.gate.set()
    assert await asyncio.gather(*futures) == [0, 10, 20]


MANY = list(range(200))


async def test_many_wait_for_the_batch_in_flight_although_there_is_a_free_lane():
    recorder = Recorder()
    coalescer = Coalescer("test", recorder, BatchPolicy(max_in_flight=2, patience=timedelta(days=1)))
    first = [coalescer.submit(item) for item in MANY]
    await recorder.started.wait()
    others = [coalescer.submit(item) for item in (1, 2)]
    await rounds_of_the_loop()
    assert recorder.batches == [MANY]
    recorder.gate.set()
    await asyncio.gather(*first, *others)
    assert recorder.batches == [MANY, [1, 2]]


async def test_few_and_full_batches_begin_at_once_beside_those_in_flight():
    recorder = Recorder()
    policy = BatchPolicy(max_batch=200, max_in_flight=4, patience=timedelta(days=1))
    coalescer = Coalescer("test", recorder, policy)
    futures = []
    for batch in ([1], [2, 3], MANY, MANY):
        futures += [coalescer.submit(item) for item in batch]
        await rounds_of_the_loop()
    assert recorder.batches == [[1], [2, 3], MANY, MANY]
    recorder.gate.set()
    await asyncio.gather(*futures)


@pytest.mark.parametrize("waits_before", [True, False])
async def test_a_batch_that_lasts_too_long_is_overtaken_by_one_at_a_time(waits_before):
    recorders = [Recorder(), Recorder(), Recorder(open_gate=True)]
    unused = iter(recorders)

    async def handler(items: Sequence[int]) -> Sequence[int]:
        return await next(unused)(items)

    hasty = BatchPolicy(max_in_flight=2, patience=timedelta(milliseconds=1))
    coalescer = Coalescer("test", handler, hasty)
    first = [coalescer.submit(item) for item in MANY]
    await recorders[0].started.wait()
    coalescer.policy = msgspec.structs.replace(hasty, patience=timedelta(days=1))
    if not waits_before:
        await asyncio.sleep(0.1)
    second = [coalescer.submit(item) for item in MANY]
    await asyncio.wait_for(recorders[1].started.wait(), 5)
    third = coalescer.submit(3)
    recorders[0].gate.set()
    await asyncio.gather(*first)
    await rounds_of_the_loop()
    assert recorders[2].batches == []  # the second one is in flight, and not overdue
    recorders[1].gate.set()
    await asyncio.gather(*second)
    assert await third == 30


async def rounds_of_the_loop() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_too_many_waiting_are_refused_and_counted():
    recorder = Recorder()
    coalescer = Coalescer("test", recorder, BatchPolicy(max_waiting=2))
    in_flight = coalescer.submit(1)
    await recorder.started.wait()
    waiting = [coalescer.submit(2), coalescer.submit(3)]
    with pytest.raises(Overloaded):
        coalescer.submit(4)
    assert coalescer.offer(5) is False
    assert coalescer.counters.refused == 2
    recorder.gate.set()
    assert await asyncio.gather(in_flight, *waiting) == [10, 20, 30]


async def test_one_bad_item_gets_the_error_and_the_others_succeed():
    async def handler(items: Sequence[int]) -> Sequence[int]:
        if 7 in items:
            raise ValueError("seven")
        return items

    coalescer = Coalescer("test", handler)
    results = await asyncio.gather(*(coalescer.submit(item) for item in range(20)), return_exceptions=True)
    assert [item for item, result in enumerate(results) if isinstance(result, ValueError)] == [7]
    assert [result for result in results if not isinstance(result, Exception)] == [
        item for item in range(20) if item != 7
    ]
    assert coalescer.counters.failed == 1


async def test_a_handler_may_answer_an_error_for_one_item():
    async def handler(items: Sequence[int]) -> Sequence[int | Exception]:
        return [ValueError("odd") if item % 2 else item for item in items]

    coalescer = Coalescer("test", handler)
    results = await asyncio.gather(*(coalescer.submit(item) for item in range(4)), return_exceptions=True)
    assert [type(result) for result in results] == [int, ValueError, int, ValueError]


async def test_an_unavailable_server_fails_the_batch_without_splitting_it():
    calls: list[list[int]] = []

    async def handler(items: Sequence[int]) -> Sequence[int]:
        calls.append(list(items))
        raise Unavailable("gone")

    coalescer = Coalescer("test", handler)
    results = await asyncio.gather(*(coalescer.submit(item) for item in range(4)), return_exceptions=True)
    assert all(isinstance(result, Unavailable) for result in results)
    assert calls == [[0, 1, 2, 3]]


async def test_with_retry_a_batch_waits_until_the_server_is_back():
    calls = 0

    async def handler(items: Sequence[int]) -> Sequence[int]:
        nonlocal calls
        calls += 1
        if calls < 4:
            raise Unavailable("gone")
        return items

    quick = Backoff(first=timedelta(milliseconds=1), longest=timedelta(milliseconds=2))
    coalescer = Coalescer("test", handler, BatchPolicy(retry=quick))
    assert await asyncio.gather(*(coalescer.submit(item) for item in range(3))) == [0, 1, 2]
    assert coalescer.counters.retries == 3


async def test_who_stops_waiting_does_not_stop_the_batch():
    recorder = Recorder()
    coalescer = Coalescer("test", recorder)
    futures = [coalescer.submit(item) for item in (1, 2)]
    await recorder.started.wait()
    futures[0].cancel()
    recorder.gate.set()
    assert await futures[1] == 20
    assert recorder.batches == [[1, 2]]


async def test_who_stops_waiting_before_the_batch_begins_is_still_carried_out():
    recorder = Recorder()
    coalescer = Coalescer("test", recorder)
    first = coalescer.submit(1)
    await recorder.started.wait()
    left = coalescer.submit(2)
    left.cancel()
    recorder.gate.set()
    await first
    assert await coalescer.drain(timedelta(seconds=5))
    assert recorder.batches == [[1], [2]]


async def test_an_item_that_comes_just_as_a_lane_ends_is_not_forgotten():
    recorder = Recorder(open_gate=True)
    coalescer = Coalescer("test", recorder)
    second: list[asyncio.Future[int]] = []
    first = coalescer.submit(1)
    # Runs in the same round of the loop in which the lane hands out its result.
    first.add_done_callback(lambda _: second.append(coalescer.submit(2)))
    await first
    while not second:
        await asyncio.sleep(0)
    assert await asyncio.wait_for(second[0], 5) == 20


async def test_a_handler_that_answers_too_few_results_is_not_called_twice():
    calls = 0

    async def handler(items: Sequence[int]) -> Sequence[int]:
        nonlocal calls
        calls += 1
        return items[:-1]

    coalescer = Coalescer("test", handler)
    results = await asyncio.gather(coalescer.submit(1), coalescer.submit(2), return_exceptions=True)
    assert all(isinstance(result, RuntimeError) for result in results)
    assert calls == 1


async def test_stopping_tells_those_who_wait_that_the_outcome_is_unknown():
    recorder = Recorder()
    coalescer = Coalescer("test", recorder)
    in_flight = coalescer.submit(1)
    await recorder.started.wait()
    waiting = coalescer.submit(2)
    assert not await coalescer.drain(timedelta(milliseconds=1))
    coalescer.stop()
    results = await asyncio.gather(in_flight, waiting, return_exceptions=True)
    assert all(isinstance(result, Unavailable) for result in results)
    assert len(coalescer) == 0


async def test_held_names_what_waits_and_what_is_in_flight():
    recorder = Recorder()
    coalescer = Coalescer("test", recorder)
    futures = [coalescer.submit(1)]
    await recorder.started.wait()
    futures += [coalescer.submit(2), coalescer.submit(3)]
    assert sorted(coalescer.in_flight()) == [1, 2, 3]
    recorder.gate.set()
    await asyncio.gather(*futures)
    assert list(coalescer.in_flight()) == []


async def test_totals_report_batches_items_and_the_largest():
    recorder = Recorder(open_gate=True)
    coalescer = Coalescer("test", recorder)
    await coalescer.submit(1)
    await asyncio.gather(*(coalescer.submit(item) for item in range(9)))
    counters = coalescer.counters
    assert (counters.batches, counters.items, counters.largest) == (2, 10, 9)
    assert counters.seconds > 0


@pytest.mark.parametrize("tries", [1, 2, 8, 1000])
def test_backoff_grows_but_never_beyond_its_longest(tries):
    backoff = Backoff(first=timedelta(seconds=1), longest=timedelta(seconds=30))
    whole = min(30.0, 2.0 ** (tries - 1))
    waits = [backoff.seconds(tries) for _ in range(200)]
    assert whole / 10 <= min(waits)
    assert max(waits) <= whole
    assert len(set(waits)) > 1


async def test_paced_batches_let_more_arrive_and_a_lone_item_still_goes_at_once(monkeypatch):
    recorder = Recorder(open_gate=True)
    coalescer = Coalescer("test", recorder, BatchPolicy(min_interval=timedelta(days=1)))
    waits, pace_is_over = asyncio.Event(), asyncio.Event()

    async def wait_for_the_pace(_: float) -> None:
        waits.set()
        await pace_is_over.wait()

    monkeypatch.setattr(asyncio, "sleep", wait_for_the_pace)
    assert await coalescer.submit(1) == 10
    assert recorder.batches == [[1]]
    second = coalescer.submit(2)
    await asyncio.wait_for(waits.wait(), 5)
    third = coalescer.submit(3)
    pace_is_over.set()
    assert await asyncio.gather(second, third) == [20, 30]
    assert recorder.batches == [[1], [2, 3]]


async def test_a_full_batch_waits_for_no_pace():
    recorder = Recorder(open_gate=True)
    coalescer = Coalescer("test", recorder, BatchPolicy(max_batch=2, min_interval=timedelta(days=1)))
    await coalescer.submit(1)
    assert await asyncio.gather(coalescer.submit(2), coalescer.submit(3)) == [20, 30]
    assert recorder.batches == [[1], [2, 3]]


async def test_the_end_of_a_pace_is_not_waited_for_when_all_is_given_up():
    recorder = Recorder(open_gate=True)
    coalescer = Coalescer("test", recorder, BatchPolicy(min_interval=timedelta(days=1)))
    await coalescer.submit(1)
    waiting = coalescer.submit(2)
    await asyncio.sleep(0)
    coalescer.stop()
    with pytest.raises(Unavailable):
        await waiting


async def test_every_observer_is_told_of_every_batch():
    told: list[tuple[str, list[int]]] = []

    async def answer(items):
        return items

    coalescer = Coalescer("numbers", answer, BatchPolicy(max_batch=2))
    for _ in range(2):
        coalescer.observers.append(lambda name, items, seconds: told.append((name, list(items))))
    await asyncio.gather(*map(coalescer.submit, range(3)))
    assert await coalescer.drain(timedelta(seconds=5))
    assert told == [("numbers", [0, 1])] * 2 + [("numbers", [2])] * 2
