"""A user as PostgreSQL has committed it: what the event flow carries from there on."""

from datetime import datetime

import msgspec

from tandem.user.profile import Profile


class StoredUser(msgspec.Struct, frozen=True, gc=False):
    """A committed user: who it is, which run and instance it came through, and its state at `version`."""

    id: int
    seed: str
    app_id: str
    version: int
    created_at: datetime
    profile: Profile
    #: The trace that the user's creation belongs to, as a W3C `traceparent`; None if nobody follows it.
    traceparent: str | None = None
