"""What passes between the parts of an aggregate's flow."""

import math
from datetime import datetime
from typing import Any

import msgspec

from tandem.delivery.idempotency import Idempotency
from tandem.errors import TandemError


class Sent(msgspec.Struct, frozen=True):
    """A command with what came along with it."""

    command: Any
    #: The run that it belongs to. Of a command on an aggregate that is there, that one's run counts.
    seed: str = ""
    #: The aggregate that it is about; None: it creates one.
    id: int | None = None
    #: The versions of which the aggregate must have one; None: any.
    expected: frozenset[int] | None = None
    idempotency: Idempotency | None = None
    traceparent: str | None = None
    #: The reaction that has sent it; None: a client.
    cause: str | None = None


class Stored(msgspec.Struct, frozen=True, gc=False):
    """An aggregate as it is committed at `version`; the state is None once it is deleted."""

    id: int
    seed: str
    #: The instance that created it.
    app_id: str
    version: int
    created_at: datetime
    state: Any
    updated_at: datetime | None = None
    traceparent: str | None = None
    #: When it was committed or read here, by `uptime`.
    read_at: float = math.inf
    #: Whether it was created just now, so that MongoDB has nothing of it.
    is_new: bool = False


class Acknowledged(msgspec.Struct, frozen=True, gc=False):
    """MongoDB has this version."""

    id: int
    version: int
    #: The run that the aggregate belongs to.
    seed: str
    traceparent: str | None
    #: The epoch of projections that its document was written under.
    epoch: int


class Refused(msgspec.Struct, frozen=True, gc=False):
    """This version cannot be shown, and why."""

    id: int
    version: int
    error: str
    #: None also where the rows cannot be read, which would say it.
    traceparent: str | None = None


class Outcome(msgspec.Struct, frozen=True):
    """What a command has led to."""

    stored: Stored
    is_changed: bool = True
    #: Whether an earlier command with its key did it.
    is_replayed: bool = False


class Refresh(msgspec.Struct, frozen=True):
    """Write the document anew: something else that it shows has changed."""


class UnreadableAggregate(TandemError):
    """What is stored of an aggregate is in a form that this program cannot read."""

    def __init__(self, kind: str, id_: int, why: str) -> None:
        super().__init__(f"The {kind} {id_} cannot be read in PostgreSQL: {why}.")
        self.why = why
