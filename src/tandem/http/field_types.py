"""Looks into the types of routes: once at the start, and later to explain a wrong value."""

from collections.abc import Iterable, Iterator
from typing import Any

from msgspec import inspect


def require_bounded_integers(wanted: Any) -> None:
    """Check that every integer within the type has bounds, so that none can exceed 64 bits later.

    Raises:
        TypeError: names the type that has an integer without both bounds.
    """
    waiting = [inspect.type_info(wanted)]
    seen: set[Any] = set()
    while waiting:
        info = waiting.pop()
        if isinstance(info, inspect.IntType):
            if (info.ge, info.gt) == (None, None) or (info.le, info.lt) == (None, None):
                msg = f"{wanted!r} takes integers of any size: give each a Meta with ge and le"
                raise TypeError(msg)
        elif not isinstance(info, inspect.StructType):
            waiting.extend(_inner(info))
        elif info.cls not in seen:
            seen.add(info.cls)
            waiting.extend(field.type for field in info.fields)


def description_at(wanted: Any, path: Iterable[str]) -> str | None:
    """The description in the `Meta` of the field that `path` leads to."""
    reached = [inspect.type_info(wanted)]
    for step in path:
        reached = [inner for info in _unwrapped(reached) for inner in _step(info, step)]
    for info in _unwrapped(reached):
        if isinstance(info, inspect.Metadata):
            return (info.extra_json_schema or {}).get("description")
    return None


def _step(info: inspect.Type, name: str) -> Iterator[inspect.Type]:
    if isinstance(info, inspect.StructType):
        yield from (field.type for field in info.fields if field.encode_name == name)
    elif not isinstance(info, inspect.Metadata | inspect.UnionType):
        yield from _inner(info)


def _unwrapped(infos: Iterable[inspect.Type]) -> Iterator[inspect.Type]:
    """Each type, and the types inside its annotation or union."""
    for info in infos:
        yield info
        if isinstance(info, inspect.Metadata | inspect.UnionType):
            yield from _unwrapped(_inner(info))


def _inner(info: inspect.Type) -> Iterator[inspect.Type]:
    for name in ("type", "types", "item_type", "item_types", "key_type", "value_type"):
        inner = getattr(info, name, ())
        yield from inner if isinstance(inner, tuple) else (inner,)
