"""Events as they are stored: in `FORMAT`, and, from earlier programs, in formats before it.

Whoever reads an event reads it by `event_of`, which brings it to today's format first. A new format gets the
next number, and an upcaster from the one before: a pure function on JSON. `tandem events check` reads a whole
log with these functions, before a program is deployed that has new ones.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any, Literal

import msgspec

from tandem.cqrs.user import User, UserCreated, UserDeleted, UserErased, UserEvent, UserUpdated, evolve
from tandem.user import Profile

#: What happens to a user, and what is known of a version of it.
Stage = Literal["CREATED", "UPDATED", "DELETED", "ERASED", "SYNCRONIZED"]

#: The format in which events are written.
FORMAT = 2

_encode = msgspec.json.Encoder().encode


class UnreadableEvent(Exception):
    """An event cannot be read by this program. The message names what is wrong, never what is stored."""


class StoredEvent(msgspec.Struct, frozen=True, gc=False):
    """A row of `prm_user_event`."""

    version: int
    event_type: Stage
    format: int
    event_data: str | None
    seed: str
    app_id: str
    created_at: datetime

    @property
    def is_change(self) -> bool:
        """Whether it changed the user. SYNCRONIZED only records that MongoDB has a version."""
        return self.event_type != "SYNCRONIZED"


def state_after(events: Iterable[StoredEvent]) -> User | None:
    """What these events, in order, make of a user.

    Raises:
        UnreadableEvent: one of them cannot be read, was erased, or cannot follow those before.
    """
    user: User | None = None
    for event in filter(lambda event: event.is_change, events):
        try:
            user = evolve(user, event_of(event.event_type, event.format, event.event_data))
            _require_next(event, user)
        except (ValueError, UnreadableEvent) as error:
            raise UnreadableEvent(f"version {event.version}, {event.event_type}: {error}") from None
    return user


def _require_next(event: StoredEvent, user: User) -> None:
    if event.version != user.version:
        raise UnreadableEvent(f"{user.version} is missing before it")


def stored_form(event: UserEvent) -> tuple[str, str | None]:
    """The event's type, and its data as JSON."""
    if isinstance(event, UserCreated):
        return "CREATED", created_data(event.profile)
    if isinstance(event, UserUpdated):
        return "UPDATED", _encode(event.changes).decode()
    return ("ERASED" if isinstance(event, UserErased) else "DELETED"), None


def created_data(profile: Profile) -> str:
    """The data of the event CREATED. Every new user comes through here."""
    return _encode(profile).decode()


def event_of(event_type: str, event_format: int, data: str | None) -> UserEvent:
    """The event that was stored like this.

    Raises:
        UnreadableEvent: no program has written it like this.
    """
    if event_type in _WITHOUT_DATA:
        return _WITHOUT_DATA[event_type]()
    try:
        today = todays_data(event_type, event_format, data)
        if event_type == "UPDATED":
            return UserUpdated(msgspec.convert(today, dict[str, Any]))
        return UserCreated(msgspec.convert(today, Profile))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise UnreadableEvent(str(error)) from None


def todays_data(event_type: str, event_format: int, data: str | None) -> Any:
    """The event's data, in today's format.

    Raises:
        UnreadableEvent: the format is later than this program, or there is no data.
        msgspec.MsgspecError: the data is no JSON.
    """
    if data is None:
        raise UnreadableEvent("it has no data")
    if not 1 <= event_format <= FORMAT:
        raise UnreadableEvent(f"its format is {event_format}, and this program knows 1 to {FORMAT}")
    value = msgspec.json.decode(data)
    for number in range(event_format, FORMAT):
        value = UPCASTERS.get((event_type, number), _as_it_is)(value)
    return value


def _as_it_is(value: Any) -> Any:
    return value


def _without_empty_objects(value: Any) -> Any:
    """Format 1 kept objects without any value, such as `"name": {}`. Format 2 leaves them out."""
    if not isinstance(value, Mapping):
        return value
    kept = {name: _without_empty_objects(inner) for name, inner in value.items()}
    return {name: inner for name, inner in kept.items() if not _is_empty(inner)}


def _is_empty(value: Any) -> bool:
    return isinstance(value, Mapping) and all(inner is None for inner in value.values())


_WITHOUT_DATA: dict[str, Callable[[], UserEvent]] = {"DELETED": UserDeleted, "ERASED": UserErased}

#: From an event's type and format to what makes the next format of its data.
UPCASTERS: dict[tuple[str, int], Callable[[Any], Any]] = {("CREATED", 1): _without_empty_objects}
