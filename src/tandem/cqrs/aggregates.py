"""The two aggregates of the flow: a user on the command side, and the same user's echo on the query side."""

from tandem.cqrs.events import CreateUserQueryEvent, SynchronizedUserEvent
from tandem.kernel import AggregateRoot
from tandem.user import StoredUser


class UserCommandAggregate(AggregateRoot):
    """A user as the command side has committed it."""

    __slots__ = ("user",)

    def __init__(self, user: StoredUser) -> None:
        super().__init__()
        self.user = user

    def create_on_query(self) -> None:
        """Announce the committed user to the query side."""
        self.apply(CreateUserQueryEvent(self.user))


class UserEventCommandAggregate(AggregateRoot):
    """A user of which the query side holds `version` or a later one."""

    __slots__ = ("user_id", "version")

    def __init__(self, user_id: int, version: int) -> None:
        super().__init__()
        self.user_id = user_id
        self.version = version

    def add_synchronized_status(self) -> None:
        """Announce that the query side has acknowledged this version."""
        self.apply(SynchronizedUserEvent(self.user_id, self.version))
