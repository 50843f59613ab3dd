"""The two aggregates of the flow: a user on the command side, and the same user's echo on the query side."""

from tandem.cqrs.events import (
    ChangeUserQueryEvent,
    CreateUserQueryEvent,
    RefusedUserEvent,
    SynchronizedUserEvent,
)
from tandem.kernel import AggregateRoot
from tandem.user import StoredUser


class UserCommandAggregate(AggregateRoot):
    """A user as the command side has committed it.

    `replayed` if an earlier command with its key had; `is_changed` unless the command changed nothing.
    """

    __slots__ = ("is_changed", "replayed", "user")

    def __init__(self, user: StoredUser, *, replayed: bool = False, is_changed: bool = True) -> None:
        super().__init__()
        self.user = user
        self.replayed = replayed
        self.is_changed = is_changed

    @property
    def _is_news(self) -> bool:
        return self.is_changed and not self.replayed

    def create_on_query(self) -> None:
        """Announce the committed user to the query side; the command that created it did so before."""
        if self._is_news:
            self.apply(CreateUserQueryEvent(self.user))

    def change_on_query(self) -> None:
        """Announce the committed version to the query side, unless that was done before."""
        if self._is_news:
            self.apply(ChangeUserQueryEvent(self.user))


class UserEventCommandAggregate(AggregateRoot):
    """What became of a version of a user on the query side.

    It is there, or was refused permanently; or it was left out (`is_skipped`), because a later version goes
    in its place or it has to be read again. `epoch` is that of projections that it was written under.
    """

    __slots__ = ("epoch", "is_skipped", "refusal", "user")

    def __init__(
        self, user: StoredUser, refusal: str | None = None, *, is_skipped: bool = False, epoch: int = 0
    ) -> None:
        super().__init__()
        self.user = user
        self.refusal = refusal
        self.epoch = epoch
        self.is_skipped = is_skipped

    def add_synchronized_status(self) -> None:
        """Announce that the query side has acknowledged this version, or a later one."""
        user = self.user
        self.apply(SynchronizedUserEvent(user.id, user.version, user.seed, user.traceparent, self.epoch))

    def add_refused_status(self) -> None:
        """Announce that the query side has refused this version permanently, and why."""
        user = self.user
        why = self.refusal or "no reason given"
        self.apply(RefusedUserEvent(user.id, user.version, why, user.traceparent))
