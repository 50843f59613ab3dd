"""The aggregates that are installed: every package may add some by the entry points `tandem.aggregates`."""

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from tandem.aggregates.definition import USER, Aggregate, Reaction, Related
from tandem.aggregates.migrate import schemas_of
from tandem.aggregates.queries import own_queries
from tandem.errors import TandemError

GROUP = "tandem.aggregates"


class UnusableAggregate(TandemError):
    """A package names an aggregate that cannot be used; says which and why."""


@cache
def installed() -> Sequence[Aggregate[Any]]:
    """All of them, in the order of their names.

    Raises:
        UnusableAggregate: one cannot be loaded, two have one name, or one needs another that is not there.
    """
    return require_consistent(sorted(map(_loaded, entry_points(group=GROUP)), key=lambda each: each.name))


def require_consistent(aggregates: Sequence[Aggregate[Any]]) -> Sequence[Aggregate[Any]]:
    """These, if each kind is there once and all that they name is there.

    Raises:
        UnusableAggregate: says what is wrong.
    """
    names = [USER, *(each.name for each in aggregates)]
    if len(set(names)) < len(names):
        raise UnusableAggregate(f"Two aggregates have the same name: {', '.join(sorted(names))}.")
    events = {each.name: set(each.event_types) for each in aggregates}
    events[USER] = {"CREATED", "UPDATED", "DELETED", "ERASED"}
    for each in aggregates:
        parts: list[Related[Any] | Reaction] = [*each.related, *each.reactions]
        for part in parts:
            followed = part.on if isinstance(part, Reaction) else ()
            if wrong := _wrong(part.kind, followed, events):
                raise UnusableAggregate(f"The aggregate {each.name!r} follows {wrong}")
    return aggregates


def _wrong(kind: str, names: Iterable[str], events: Mapping[str, set[str]]) -> str:
    """What is wrong with following these events of this kind; empty: nothing."""
    if kind not in events:
        return f"{kind!r}, which is not installed."
    if unknown := set(names) - events[kind]:
        return f"{min(unknown)!r} of {kind!r}, which has only: {', '.join(sorted(events[kind]))}."
    return ""


def named(name: str) -> Aggregate[Any]:
    """The installed aggregate of this name, or of this plural.

    Raises:
        UnusableAggregate: there is none; says which there are.
    """
    for each in installed():
        if name in (each.name, each.plural):
            return each
    known = ", ".join(each.plural for each in installed()) or "none"
    raise UnusableAggregate(
        f"There is no aggregate {name!r}. Installed: {known}. A package adds one by an entry point {GROUP!r}."
    )


def _loaded(point: EntryPoint) -> Aggregate[Any]:
    where = f"The aggregate {point.name!r} ({point.value})"
    try:
        found = point.load()
    except Exception as error:
        raise UnusableAggregate(f"{where} cannot be loaded: {type(error).__name__}: {error}") from error
    if not isinstance(found, Aggregate):
        raise UnusableAggregate(f"{where} is no tandem.aggregates.Aggregate.")
    try:
        own_queries(found)
        schemas_of(found)
    except (ValueError, OSError) as error:
        raise UnusableAggregate(f"{where} cannot be used: {error}") from error
    return found
