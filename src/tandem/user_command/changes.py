"""What the commands of a batch make of each user: decided one after the other, written as one row."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import TypeAlias

import msgspec

from tandem.cqrs import DeleteUserCommand, UpdateUserCommand, UserCommandAggregate
from tandem.cqrs.user import User, UserErased, UserEvent, decide, evolve
from tandem.delivery.contest import Overtaken
from tandem.delivery.rejections import Rejection
from tandem.user import InvalidField, Profile, StoredUser
from tandem.user.stored import uptime
from tandem.user_command.event_log import stored_form
from tandem.user_command.reference_data import ReferenceIds
from tandem.user_command.rows import UnreadableUser, next_state

ChangingCommand: TypeAlias = UpdateUserCommand | DeleteUserCommand


def state_of(stored: StoredUser) -> User:
    """The state that `decide` works with."""
    return User(stored.version, stored.profile, stored.is_erased)


class Decided(msgspec.Struct, frozen=True):
    """What a command has led to: the user's state then, and whether the command changed anything."""

    user: User
    is_changed: bool
    traceparent: str | None


class Change(msgspec.Struct, frozen=True):
    """One event of a draft, with the version that it leads to and the trace that it belongs to."""

    version: int
    event: UserEvent
    traceparent: str | None


class Draft:
    """One user, and what the commands of a batch make of it."""

    def __init__(self, user_id: int, found: StoredUser | UnreadableUser | None) -> None:
        """`found` is the user as it was read; None: there is no such user."""
        self.id = user_id
        self.stored = found if isinstance(found, StoredUser) else None
        #: The last profile that the user had: a deleted one keeps it in its rows.
        self.profile = self.stored.profile if self.stored else None
        #: The commands that were accepted, with the version that each has led to.
        self.accepted: list[tuple[ChangingCommand, int]] = []
        self.changes: list[Change] = []
        #: When PostgreSQL has committed the changes; None: it has not.
        self.committed_at: datetime | None = None
        self._unreadable = found if isinstance(found, UnreadableUser) else None
        self._user = None if self.stored is None else state_of(self.stored)

    @property
    def is_changed(self) -> bool:
        """Whether there is anything to write but keys."""
        return bool(self.changes)

    @property
    def needs_writing(self) -> bool:
        """Whether there is anything to write: changes, or keys of commands that changed nothing."""
        return self.is_changed or any(command.idempotency for command in self.commands)

    @property
    def commands(self) -> list[ChangingCommand]:
        """Those that were accepted."""
        return [command for command, _ in self.accepted]

    @property
    def is_erased(self) -> bool:
        """Whether the person is to be forgotten."""
        return any(isinstance(change.event, UserErased) for change in self.changes)

    @property
    def version(self) -> int:
        """The one that the user has after all commands."""
        return self._user.version if self._user else 0

    def decide(self, command: ChangingCommand) -> Decided | Exception:
        """What follows from the next command, or why it cannot be carried out."""
        if self._unreadable is not None:
            return UnreadableUser(self.id, self._unreadable.why)
        try:
            events = decide(command, self._user)
        except (Rejection, InvalidField) as error:
            return error
        for event in events:
            self._user = evolve(self._user, event)
            self.profile = self._user.profile or self.profile
            self.changes.append(Change(self._user.version, event, command.traceparent))
        assert self._user is not None  # noqa: S101 - narrows the type: what is unknown was rejected
        self.accepted.append((command, self._user.version))
        return Decided(self._user, bool(events), command.traceparent)

    def outcome(self, decided: Decided | Exception) -> UserCommandAggregate | Exception:
        """What a command gets that `decide` answered with `decided`, once it is known what was committed."""
        if self.is_changed and self.committed_at is None:
            return Overtaken()
        if isinstance(decided, Exception):
            return decided
        before, user = self.stored, decided.user
        assert before is not None  # noqa: S101 - narrows the type: what is unknown was rejected
        columns = (self.id, before.seed, before.app_id, user.version, before.created_at, user.profile)
        changed_at = self.committed_at if user.version > before.version else before.updated_at
        stored = StoredUser(*columns, decided.traceparent, changed_at, user.is_erased, uptime())
        return UserCommandAggregate(stored, is_changed=decided.is_changed)

    @property
    def kept(self) -> Profile:
        """What the user's rows say from now on."""
        return _NOTHING if self.is_erased or self.profile is None else self.profile

    @property
    def state(self) -> str:
        """The same, as `change_users` is given it."""
        return next_state(self.stored.profile if self.stored else None, self.kept)


# What is left of an erased user.
_NOTHING = Profile(email="")


def columns_of_users(drafts: Sequence[Draft], ids: ReferenceIds) -> tuple[Sequence[object], ...]:
    """The arguments of `change_users` that are about users."""
    return (
        [draft.state for draft in drafts],
        [draft.id for draft in drafts],
        [draft.stored.version if draft.stored else 0 for draft in drafts],
        [draft.version for draft in drafts],
        [stored_form(draft.changes[-1].event)[0] for draft in drafts],
        *ids.columns([draft.kept for draft in drafts]),
    )


def columns_of_events(drafts: Iterable[Draft]) -> tuple[list[object], ...]:
    """The arguments of `change_users` that are about events. Of an erased user, no data is written."""
    rows = [
        (draft.id, change.version, event_type, None if draft.is_erased else data, change.traceparent)
        for draft in drafts
        for change in draft.changes
        for event_type, data in [stored_form(change.event)]
    ]
    return _columns(rows, 5)


def columns_of_keys(drafts: Iterable[Draft]) -> tuple[list[object], ...]:
    """The arguments of `change_users` that are about idempotency keys."""
    rows = [
        (command.idempotency.key, command.idempotency.fingerprint, draft.id, version)
        for draft in drafts
        for command, version in draft.accepted
        if command.idempotency is not None
    ]
    return _columns(rows, 4)


def _columns(rows: Sequence[tuple[object, ...]], count: int) -> tuple[list[object], ...]:
    return tuple([row[place] for row in rows] for place in range(count))
