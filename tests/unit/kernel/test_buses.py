"""Command bus, event bus, saga and aggregate root together."""

import asyncio
import logging
from collections.abc import Sequence
from datetime import timedelta

import pytest

from tandem.kernel import AggregateRoot, BatchPolicy, Command, CommandBus, Event, EventBus
from tandem.kernel.errors import NoHandler


class Double(Command[int], frozen=True):
    number: int


class Note(Command[None], frozen=True):
    text: str


class Doubled(Event, frozen=True):
    number: int


async def double(command: Double) -> int:
    return command.number * 2


async def test_a_command_gets_the_result_of_its_one_handler():
    bus = CommandBus()
    bus.register(Double, double)
    assert await bus.execute(Double(21)) == 42


async def test_a_second_handler_for_a_command_is_refused():
    bus = CommandBus()
    bus.register(Double, double)
    with pytest.raises(ValueError, match="Double has a handler already"):
        bus.register(Double, double)


async def test_a_command_without_handler_says_which():
    with pytest.raises(NoHandler, match="Double"):
        await CommandBus().execute(Double(1))


async def test_single_commands_do_not_wait_for_each_other():
    both_inside = asyncio.Barrier(2)

    async def meet(command: Double) -> int:
        await both_inside.wait()
        return command.number

    bus = CommandBus()
    bus.register(Double, meet)
    async with asyncio.timeout(5):
        assert await asyncio.gather(bus.execute(Double(1)), bus.execute(Double(2))) == [1, 2]


async def test_an_error_of_the_handler_reaches_who_sent_the_command():
    async def fail(command: Double) -> int:
        raise ValueError(str(command.number))

    bus = CommandBus()
    bus.register(Double, fail)
    with pytest.raises(ValueError, match="7"):
        await bus.execute(Double(7))


async def test_a_coalesced_handler_gets_commands_in_batches():
    batches: list[int] = []

    async def doubles(commands: Sequence[Double]) -> Sequence[int]:
        batches.append(len(commands))
        return [command.number * 2 for command in commands]

    bus = CommandBus()
    bus.register_coalesced(Double, doubles, BatchPolicy(max_batch=10))
    results = await asyncio.gather(*(bus.execute(Double(number)) for number in range(10)))
    assert results == [number * 2 for number in range(10)]
    assert batches == [10]


async def test_a_saga_turns_an_event_into_a_command():
    noted: list[str] = []

    async def note(command: Note) -> None:
        noted.append(command.text)

    bus = CommandBus()
    bus.register(Note, note)
    events = EventBus(bus)
    events.saga(Doubled, lambda event: Note(f"{event.number}") if event.number > 1 else None)
    events.publish([Doubled(1), Doubled(2), Doubled(3)])
    assert await bus.drain(timedelta(seconds=5))
    assert sorted(noted) == ["2", "3"]


async def test_a_listener_that_fails_is_logged_and_the_others_still_hear(caplog):
    heard: list[Doubled] = []

    def deaf(event: Doubled) -> None:
        raise RuntimeError("deaf")

    events = EventBus(CommandBus())
    events.subscribe(Doubled, deaf)
    events.subscribe(Doubled, heard.append)
    with caplog.at_level(logging.ERROR):
        events.publish([Doubled(1)])
    assert heard == [Doubled(1)]
    assert "deaf" in caplog.text


async def test_an_aggregate_gives_its_events_once():
    heard: list[Doubled] = []
    events = EventBus(CommandBus())
    events.subscribe(Doubled, heard.append)
    aggregate = AggregateRoot()
    aggregate.apply(Doubled(1))
    aggregate.apply(Doubled(2))
    events.publish_from([aggregate])
    events.publish_from([aggregate])
    assert heard == [Doubled(1), Doubled(2)]
