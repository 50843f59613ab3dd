"""What has happened to a user."""

from tandem.kernel import Event
from tandem.user import StoredUser


class CreateUserQueryEvent(Event, frozen=True, gc=False):
    """PostgreSQL has committed this user; the query side does not know it yet."""

    user: StoredUser


class ChangeUserQueryEvent(Event, frozen=True, gc=False):
    """PostgreSQL has committed this later version of a user; the query side does not know it yet."""

    user: StoredUser


class RefusedUserEvent(Event, frozen=True, gc=False):
    """MongoDB refused this version of the user, and would refuse it again."""

    user_id: int
    version: int
    error: str
    traceparent: str | None = None


class SynchronizedUserEvent(Event, frozen=True, gc=False):
    """MongoDB has acknowledged this version of the user, by majority and journal."""

    user_id: int
    version: int
    seed: str
    traceparent: str | None = None
    #: The epoch of projections that its document was written under.
    epoch: int = 0
