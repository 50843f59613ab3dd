"""Where msgspec found a wrong value, and what is wrong with it, in words for people."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias
from urllib.parse import quote

import msgspec

from tandem.http.field_types import description_at

# msgspec ends its message with the place: "... - at `$.location.tags[2]`", "... - at `key` in `$.tags`".
_PLACE = re.compile(r" - at `(?:key` in `)?\$(?P<path>[^`]*)`$")
_STEP = re.compile(r"\.([^.\[]+)|\[(\d+)\]")
_MISSING = re.compile(r"^Object missing required field `(.+)`$")

#: Said of a string that does not match its pattern: the pattern itself would tell people nothing.
WRONG_FORM = "does not have the right form"

_KINDS = {
    "str": "a string",
    "int": "an integer",
    "float": "a number",
    "bool": "true or false",
    "object": "an object",
    "array": "an array",
    "null": "null",
    "datetime": "a date and time",
}
_COUNTED = {"str": "characters", "array": "items", "object": "fields", "bytes": "bytes"}
_COMPARED = {"<=": "at most", ">=": "at least", "<": "less than", ">": "more than"}


def _kinds(names: str) -> str:
    *most, last = (_KINDS.get(name, name) for name in names.split(" | "))
    return f"{', '.join(most)} or {last}" if most else last


# A message of msgspec, and the clause that we make of it.
_SENTENCES: list[tuple[re.Pattern[str], Callable[[re.Match[str]], str]]] = [
    (
        re.compile(r"^Expected `([^`]+)`, got `([^`]+)`$"),
        lambda found: f"must be {_kinds(found[1])}, not {_kinds(found[2])}",
    ),
    (re.compile(r"of length >= 1$"), lambda _: "must not be empty"),
    (
        re.compile(r"^Expected `(\w+)` of length (<=|>=) (\d+)$"),
        lambda found: f"must have {_COMPARED[found[2]]} {found[3]} {_COUNTED[found[1]]}",
    ),
    (
        re.compile(r"^Expected `\w+` (<=|>=|<|>) (\S+)$"),
        lambda found: f"must be {_COMPARED[found[1]]} {found[2]}",
    ),
    (re.compile(r"^Expected `str` matching regex"), lambda _: WRONG_FORM),
    (re.compile(r"value out of range$|^Number out of range$"), lambda _: "is out of range"),
    (re.compile(r"^Invalid enum value"), lambda _: "is none of the allowed values"),
    (
        re.compile(r"^Invalid RFC3339 encoded datetime$"),
        lambda _: "must be a date and time like 2026-01-31T12:00:00Z",
    ),
    (re.compile(r"^Invalid UUID$"), lambda _: "must be a UUID"),
]


def explain(error: msgspec.ValidationError, wanted: Any) -> tuple[list[str], str]:
    """The path to the wrong value (field names and array positions) and a clause that starts with a verb.

    The message of a type's own check (a `ValueError` from `__post_init__`) is passed on as it is. A string
    that does not match its pattern is explained by the description in its `Meta`.
    """
    message = str(error)
    path: list[str] = []
    place = _PLACE.search(message)
    if place is not None:
        message = message[: place.start()]
        # Within a dictionary msgspec does not say which key: "$.tags[...].name". Name the dictionary.
        known = place["path"].partition("[...]")[0]
        path = [name or position for name, position in _STEP.findall(known)]
    missing = _MISSING.match(message)
    if missing is not None:
        return [*path, missing[1]], "is required"
    for pattern, sentence in _SENTENCES:
        found = pattern.search(message)
        if found is not None:
            clause = sentence(found)
            described = description_at(wanted, path) if clause == WRONG_FORM else None
            return path, f"{clause}: {described.rstrip('.')}" if described else clause
    return path, message


def json_pointer(path: Sequence[str]) -> str:
    """A JSON Pointer as a URI fragment (RFC 6901, section 6): `#/location/tags/2`, `#` for the whole."""
    steps = (step.replace("~", "~0").replace("/", "~1") for step in path)
    return "#" + "".join("/" + quote(step, safe="~", errors="replace") for step in steps)


#: Where a value is: the place around it, and the key or position in that; None for the whole.
_Place: TypeAlias = "tuple[_Place, str | int] | None"


def find_text(value: Any, unusable: re.Pattern[str]) -> Iterator[list[str]]:
    """The paths of the strings (and keys) within JSON-like `value` in which `unusable` is found.

    It walks with a list of its own, so that memory bounds the depth and not the interpreter's stack. Paths
    are made only for what is found: one for each value would cost the square of the depth.
    """
    waiting: list[tuple[_Place, Any]] = [(None, value)] if isinstance(value, _MAY_HOLD_TEXT) else []
    while waiting:
        place, item = waiting.pop()
        if isinstance(item, str):
            if unusable.search(item):
                yield _path_to(place)
            continue
        if isinstance(item, Mapping):
            yield from (_path_to((place, key)) for key in item if unusable.search(str(key)))
        entries = item.items() if isinstance(item, Mapping) else enumerate(item)
        waiting.extend(((place, key), inner) for key, inner in entries if isinstance(inner, _MAY_HOLD_TEXT))


_MAY_HOLD_TEXT = (str, Mapping, list, tuple)


def _path_to(place: _Place) -> list[str]:
    path = []
    while place is not None:
        place, key = place
        path.append(str(key))
    return path[::-1]
