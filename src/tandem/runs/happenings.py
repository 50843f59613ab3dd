"""What happened in a run: faults that somebody made, and what instances saw; told to every watcher."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Literal
from urllib.parse import urlencode

import msgspec

from tandem.cqrs.user import KIND

MOST = 200
#: What several watchers see at times that are no further apart is one thing.
SAME_WITHIN = timedelta(seconds=6)
#: How takeovers and dead letters begin in `Kept.once`.
TAKEOVER, REFUSAL, DEATH = "took over", "refused", "gone"

What = Literal["fault", "observed"]


class Happening(msgspec.Struct, frozen=True):
    """Something that happened; `users` is where the page lists whom it was about."""

    at: datetime
    kind: What
    text: str
    users: str | None = None


class Kept(msgspec.Struct, frozen=True):
    """The same as it is kept."""

    at: datetime
    kind: What
    text: str
    #: What makes it one, whoever keeps it.
    once: str
    #: Of a takeover: how many users it was in all, with those before.
    amount: int | None = None


def merged(kept: Iterable[Kept]) -> list[Kept]:
    """These in the order of time, each once: several cells keep them, and watchers what is not kept yet."""
    found: list[Kept] = []
    for one in sorted(kept, key=lambda each: (each.at, each.once)):
        if not any(_is_same(one, other) for other in found):
            found.append(one)
    return found[-MOST:]


def _is_same(one: Kept, other: Kept) -> bool:
    is_seen = one.kind == other.kind == "observed"
    return one.once == other.once or (
        is_seen and one.text == other.text and abs(one.at - other.at) <= SAME_WITHIN
    )


def shown(kept: Kept, kind: str, seed: str) -> Happening:
    """It as watchers are told of it."""
    about = {TAKEOVER: {"view": "runs", "show": "rescued"}, REFUSAL: {"view": "letters"}}
    where = next((place for beginning, place in about.items() if kept.once.startswith(beginning)), None)
    if where is None:
        return Happening(kept.at, kept.kind, kept.text)
    query = where | {"seed": seed} | ({} if kind == KIND else {"aggregate": kind})
    return Happening(kept.at, kept.kind, kept.text, f"/?{urlencode(query)}")
