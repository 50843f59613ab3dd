"""What may happen to a user: `decide` says which events follow from a command, `evolve` applies one.

Both are pure. All else serves them: states are read for `decide`, its events are stored, and folding all
events of a user by `evolve` gives the state that its rows have.
"""

from collections.abc import Sequence
from typing import Any, TypeAlias

import msgspec

from tandem.cqrs.commands import CreateUserCommand, DeleteUserCommand, UpdateUserCommand
from tandem.delivery.rejections import Gone, OtherVersion, Unknown
from tandem.user import Profile
from tandem.user.patch import changed, changes_between, patched


class User(msgspec.Struct, frozen=True, gc=False):
    """A user's state after `version` events. A deleted one has no profile any more."""

    version: int
    profile: Profile | None
    is_erased: bool = False


class UserCreated(msgspec.Struct, frozen=True, gc=False):
    """There is a user with this profile."""

    profile: Profile


class UserUpdated(msgspec.Struct, frozen=True):
    """The profile was changed: `changes` is a JSON Merge Patch (RFC 7396) in normal form."""

    changes: dict[str, Any]


class UserDeleted(msgspec.Struct, frozen=True):
    """Nobody reads the user any more. Its history stays."""


class UserErased(msgspec.Struct, frozen=True):
    """All that was known of the person is to be forgotten, in the history, too."""


#: What users are called, in tables, too.
KIND = "user"

UserEvent: TypeAlias = UserCreated | UserUpdated | UserDeleted | UserErased
UserCommand: TypeAlias = CreateUserCommand | UpdateUserCommand | DeleteUserCommand


def decide(command: UserCommand, user: User | None) -> Sequence[UserEvent]:
    """The events that follow from the command; none where it changes nothing.

    Raises:
        Rejection: the command cannot be carried out on this user.
        InvalidField: its patch would make something of the user that is none.
    """
    if isinstance(command, CreateUserCommand):
        return [UserCreated(command.profile)]
    if user is None:
        raise Unknown(KIND)
    may_still_be_erased = isinstance(command, DeleteUserCommand) and command.erase and not user.is_erased
    if user.profile is None and not may_still_be_erased:
        raise Gone(KIND)
    if command.expected is not None and user.version not in command.expected:
        raise OtherVersion(KIND, user.version)
    if isinstance(command, DeleteUserCommand):
        return [UserErased() if command.erase else UserDeleted()]
    assert user.profile is not None  # noqa: S101 - narrows the type: an update of a deleted user was rejected
    changes = changes_between(user.profile, patched(user.profile, command.patch))
    return [UserUpdated(changes)] if changes else []


def evolve(user: User | None, event: UserEvent) -> User:
    """The user after the event.

    Raises:
        ValueError: the event cannot follow: there is no user to change, or nothing left of it.
    """
    if isinstance(event, UserCreated):
        if user is not None:
            msg = "a user is created once, by its first event"
            raise ValueError(msg)
        return User(1, event.profile)
    if user is None:
        msg = "the first event of a user has to create it"
        raise ValueError(msg)
    if isinstance(event, UserUpdated):
        if user.profile is None:
            msg = "a deleted user cannot be updated"
            raise ValueError(msg)
        return User(user.version + 1, changed(user.profile, event.changes))
    return User(user.version + 1, None, isinstance(event, UserErased))
