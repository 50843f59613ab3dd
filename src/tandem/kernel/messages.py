"""What goes over the buses: commands ask for something, events say what has happened."""

from typing import Generic, TypeVar

import msgspec

R = TypeVar("R")


class Command(msgspec.Struct, Generic[R], frozen=True, gc=False):
    """The base of all commands; `R` is what its handler returns. Name yours in the imperative."""


class Event(msgspec.Struct, frozen=True, gc=False):
    """The base of all events. Name yours in the past tense: it says what has happened."""
