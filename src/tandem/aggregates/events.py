"""Events as they are stored: encoding, today's format, and the state that they make."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

import msgspec

from tandem.aggregates.definition import REFRESHED, SYNCHRONIZED, Aggregate
from tandem.user_command.event_log import UnreadableEvent

#: Events that leave the state as it is.
OF_THE_FLOW = frozenset((SYNCHRONIZED, REFRESHED))


class StoredEvent(msgspec.Struct, frozen=True, gc=False):
    """A row of an aggregate's log."""

    version: int
    event_type: str
    format: int
    event_data: str | None
    seed: str
    app_id: str
    created_at: datetime
    #: The reaction that has led to it; None: a client's command.
    cause: str | None = None

    @property
    def is_change(self) -> bool:
        """Whether it has a version of its own. SYNCRONIZED only records that MongoDB has one."""
        return self.event_type != SYNCHRONIZED


def data_of(event: Any) -> str:
    """The event's data as it is stored: JSON."""
    return msgspec.json.encode(event).decode()


def todays_data(aggregate: Aggregate[Any], event_type: str, event_format: int, data: str) -> Any:
    """An event's data as JSON in today's format.

    Raises:
        UnreadableEvent: the format is later than this program.
        msgspec.MsgspecError: the data is no JSON.
    """
    if not 1 <= event_format <= aggregate.format:
        raise UnreadableEvent(f"its format is {event_format}, and this program knows 1 to {aggregate.format}")
    value = msgspec.json.decode(data)
    for number in range(event_format, aggregate.format):
        upcast = aggregate.upcasters.get((event_type, number))
        value = upcast(value) if upcast else value
    return value


def event_of(aggregate: Aggregate[Any], event_type: str, event_format: int, data: str | None) -> Any:
    """The event that was stored like this.

    Raises:
        UnreadableEvent: no program has written it like this.
    """
    wanted = aggregate.event_types.get(event_type)
    if wanted is None or data is None:
        raise UnreadableEvent(f"{event_type!r} is no event of this program, or has no data")
    try:
        return msgspec.convert(todays_data(aggregate, event_type, event_format, data), wanted)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise UnreadableEvent(str(error)) from None


def state_after(aggregate: Aggregate[Any], events: Iterable[StoredEvent]) -> Any:
    """What these events, in order and from the first on, make of an aggregate; None: it is deleted.

    Raises:
        UnreadableEvent: one of them cannot be read, or does not follow the one before.
    """
    state = None
    for version, event in enumerate(filter(lambda event: event.is_change, events), 1):
        try:
            _require_next(event, version)
            if event.event_type != REFRESHED:
                stored = event_of(aggregate, event.event_type, event.format, event.event_data)
                state = aggregate.evolve(state, stored)
        except (ValueError, UnreadableEvent) as error:
            raise UnreadableEvent(f"version {event.version}, {event.event_type}: {error}") from None
    return state


def _require_next(event: StoredEvent, version: int) -> None:
    if event.version != version:
        raise UnreadableEvent(f"version {version} is missing before it")
