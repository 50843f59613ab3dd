"""What can be asked for. The described system's names are kept."""

from typing import Any

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


class UpdateUserCommand(Command[UserCommandAggregate], frozen=True):
    """Change this user as the patch says."""

    user_id: int
    #: A JSON Merge Patch (RFC 7396) in the users' wire format.
    patch: dict[str, Any]
    #: The versions of which the user must have one; None: any.
    expected: frozenset[int] | None = None
    idempotency: Idempotency | None = None
    traceparent: str | None = None


class DeleteUserCommand(Command[UserCommandAggregate], frozen=True):
    """Delete this user; with `erase`, also forget all that is known of the person."""

    user_id: int
    erase: bool = False
    #: The versions of which the user must have one; None: any.
    expected: frozenset[int] | None = None
    idempotency: Idempotency | None = None
    traceparent: str | None = None


class CreateUserQueryCommand(Command[UserEventCommandAggregate], frozen=True, gc=False):
    """Bring this committed user to the query side."""

    user: StoredUser

    @property
    def traceparent(self) -> str | None:
        """The user's."""
        return self.user.traceparent


class ChangeUserQueryCommand(Command[UserEventCommandAggregate], frozen=True, gc=False):
    """Bring this later version of a user to the query side; of a deleted one, that it is deleted."""

    user: StoredUser

    @property
    def traceparent(self) -> str | None:
        """The version's."""
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
    #: The epoch of projections that its document was written under.
    epoch: int = 0
