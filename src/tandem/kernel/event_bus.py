"""The event bus: dispatch is one table, from an event's type to its subscribers and sagas."""

import logging
from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from tandem.kernel.aggregate import AggregateRoot
from tandem.kernel.command_bus import CommandBus
from tandem.kernel.messages import Command, Event

logger = logging.getLogger(__name__)

E = TypeVar("E", bound=Event)


class EventBus:
    """Tells events to subscribers and turns them into commands by sagas.

    Publishing never raises: what is published has happened, and no listener can undo it. A listener that
    fails is logged with its traceback, and the others still get the event. So a step that must not be lost
    has to be stored as well: pending users are rows in PostgreSQL, and recovery reads them.
    """

    def __init__(self, commands: CommandBus) -> None:
        self._commands = commands
        self._subscribers: defaultdict[type[Event], list[Callable[[Any], None]]] = defaultdict(list)
        self._sagas: defaultdict[type[Event], list[Callable[[Any], Command[Any] | None]]] = defaultdict(list)

    def subscribe(self, event_type: type[E], subscriber: Callable[[E], None]) -> None:
        """Call `subscriber` with every event of exactly this type."""
        self._subscribers[event_type].append(subscriber)

    def saga(self, event_type: type[E], step: Callable[[E], Command[Any] | None]) -> None:
        """Send the command that `step` makes of each event of exactly this type; None sends nothing.

        `step` is a pure function: it decides, and the bus does.
        """
        self._sagas[event_type].append(step)

    def publish_from(self, aggregates: Iterable[AggregateRoot]) -> None:
        """Publish all that was applied to `aggregates`, in order."""
        for aggregate in aggregates:
            self.publish(aggregate.collect_events())

    def publish(self, events: Iterable[Event]) -> None:
        """Tell `events` to their subscribers, then send the commands that the sagas make of them."""
        for event in events:
            for subscriber in self._subscribers.get(type(event), ()):
                try:
                    subscriber(event)
                except Exception:
                    _log_failure(subscriber, event)
            for step in self._sagas.get(type(event), ()):
                try:
                    command = step(event)
                    if command is not None:
                        self._commands.dispatch(command)
                except Exception:
                    _log_failure(step, event)


def _log_failure(listener: Callable[[Any], object], event: Event) -> None:
    logger.exception("%r failed on %s", listener, type(event).__name__)
