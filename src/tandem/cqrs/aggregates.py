"""The two aggregates of the flow: a user on the command side, and the same user's echo on the query side."""

from tandem.cqrs.events import CreateUserQueryEvent, RefusedUserEvent, SynchronizedUserEvent
from tandem.kernel import AggregateRoot
from tandem.user import StoredUser


class UserCommandAggregate(AggregateRoot):
    """A user as the command side has committed it; `replayed` if an earlier command with its key had."""

    __slots__ = ("replayed", "user")

    def __init__(self, user: StoredUser, *, replayed: bool = False) -> None:
        super().__init__()
        self.user = user
        self.replayed = replayed

    def create_on_query(self) -> None:
        """Announce the committed user to the query side; the command that created it did so before."""
        if not self.replayed:
            self.apply(CreateUserQueryEvent(self.user))


class UserEventCommandAggregate(AggregateRoot):
    """What became of a version of a user on the query side: it is there, or was refused for good."""

    __slots__ = ("refusal", "user")

    def __init__(self, user: StoredUser, refusal: str | None = None) -> None:
        super().__init__()
        self.user = user
        self.refusal = refusal

    def add_synchronized_status(self) -> None:
        """Announce that the query side has acknowledged this version, or a later one."""
        user = self.user
        self.apply(SynchronizedUserEvent(user.id, user.version, user.seed, user.traceparent))

    def add_refused_status(self) -> None:
        """Announce that the query side has refused this version for good, and why."""
        user = self.user
        why = self.refusal or "no reason given"
        self.apply(RefusedUserEvent(user.id, user.version, why, user.traceparent))
