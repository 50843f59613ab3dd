"""What can be asked for. The described system's names are kept."""

from tandem.cqrs.aggregates import UserCommandAggregate, UserEventCommandAggregate
from tandem.delivery.idempotency import Idempotency
from tandem.kernel import Command
from tandem.user import Profile, StoredUser


class CreateUserCommand(Command[UserCommandAggregate], frozen=True, gc=False):
    """Create this user on the command side, as part of the run named by `seed`."""

    seed: str
    profile: Profile
    idempotency: Idempotency | None = None
    traceparent: str | None = None


class CreateUserQueryCommand(Command[UserEventCommandAggregate], frozen=True, gc=False):
    """Bring this committed user to the query side."""

    user: StoredUser

    @property
    def traceparent(self) -> str | None:
        """The user's."""
        return self.user.traceparent


class DeadLetterUserCommand(Command[None], frozen=True, gc=False):
    """Take this version of the user out of the flow: the query side refused it for good."""

    user_id: int
    version: int
    error: str
    traceparent: str | None = None


class SynchronizeUserCommand(Command[None], frozen=True, gc=False):
    """Record on the command side that the query side has this version of the user."""

    user_id: int
    version: int
    seed: str
    traceparent: str | None = None
