"""A user as PostgreSQL has committed it: what the event flow carries from there on."""

from datetime import datetime

import msgspec

from tandem.kernel.clock import uptime
from tandem.user.profile import Profile

__all__ = ["StoredUser", "uptime"]


class StoredUser(msgspec.Struct, frozen=True, gc=False):
    """A committed user: who it is, which run and instance it came through, and its state at `version`."""

    id: int
    seed: str
    #: The instance that created it.
    app_id: str
    version: int
    created_at: datetime
    #: None once it is deleted.
    profile: Profile | None
    #: The trace that this version belongs to, as a W3C `traceparent`; None if it is not sampled.
    traceparent: str | None = None
    #: When this version was committed; None for the first one, which is from `created_at`.
    updated_at: datetime | None = None
    #: Whether all that was known of the person is forgotten.
    is_erased: bool = False
    #: When it was committed or read here, by `uptime`.
    read_at: float = 0.0
