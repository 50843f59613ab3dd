"""What an author gets wrong: found before a database does, and told in a sentence that says what to do."""

from collections.abc import Callable
from typing import Any

import bson
import msgspec

from tandem.aggregates.definition import Aggregate
from tandem.aggregates.documents import OWN_FIELDS
from tandem.aggregates.events import data_of, event_of
from tandem.mongodb.client import UNSENDABLE
from tandem.user_command.event_log import UnreadableEvent


def require_command(aggregate: Aggregate[Any], command: Any, *, creates: bool) -> None:
    """Refuse what is no command of this aggregate, or none that can be sent.

    Raises:
        AssertionError: says what to do.
    """
    name = type(command).__name__
    if type(command) not in aggregate.all_commands:
        raise AssertionError(
            f"{name} is no command of {aggregate.name!r}: name it in `creates`, `commands` or `internal`."
        )
    if creates and type(command) is not aggregate.creates:
        raise AssertionError(f"{name} is about an {aggregate.name} that is there: say first what it is.")
    if not creates and type(command) is aggregate.creates:
        raise AssertionError(f"{name} creates an {aggregate.name}: send it to none that is there.")
    _through_json(command, lambda data: msgspec.json.decode(data, type=type(command)))


def checked_event(aggregate: Aggregate[Any], event: Any) -> Any:
    """The event as it is read again once it is stored.

    Raises:
        AssertionError: it is not that of this aggregate, or not the same; says what to do.
    """
    name = type(event).__name__
    if type(event) not in aggregate.events:
        raise AssertionError(f"{name} is no event of {aggregate.name!r}: name it in `events`.")
    return _through_json(event, lambda data: event_of(aggregate, name, aggregate.format, data))


def checked_state(aggregate: Aggregate[Any], state: Any) -> Any:
    """The state as it is read again once it is stored.

    Raises:
        AssertionError: it is not that of this aggregate, or not the same; says what to do.
    """
    return _through_json(state, lambda data: msgspec.json.decode(data, type=aggregate.state))


def require_document(aggregate: Aggregate[Any], state: Any) -> None:
    """Refuse a document that cannot be written, for a state to which nothing related is there.

    Raises:
        AssertionError: says what to do.
    """
    related = {each.name: None for each in aggregate.related}
    try:
        shown = dict(aggregate.document(state, related))
    except Exception as error:
        raise AssertionError(
            f"`document` fails on {state!r} with {type(error).__name__}: {error}. "
            f"Let it take None for each of `related`: what it names may not be there."
        ) from error
    if taken := sorted(shown.keys() & set(OWN_FIELDS)):
        raise AssertionError(f"`document` has the field {taken[0]!r} of the flow: give it another name.")
    try:
        bson.encode(shown)
    except UNSENDABLE as error:
        raise AssertionError(
            f"`document` answers what MongoDB cannot hold ({error}): make text, numbers and lists of it."
        ) from error


def _through_json(value: Any, read: Callable[[str], Any]) -> Any:
    """The value after its way to a database and back."""
    advice = "give its fields types that JSON can say, and values that fit them"
    try:
        again = read(data_of(value))
    except (msgspec.MsgspecError, UnreadableEvent, TypeError, ValueError, OverflowError) as error:
        raise AssertionError(f"{value!r} does not survive JSON ({error}): {advice}.") from error
    if again != value:
        raise AssertionError(f"{value!r} does not survive JSON (it becomes {again!r}): {advice}.")
    return again
