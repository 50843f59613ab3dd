"""Between a user and its rows: what `change_users` is given of it, and what is read again."""

import asyncpg
import msgspec

from tandem.errors import TandemError
from tandem.user import Profile, StoredUser, UserInput, normalize
from tandem.user.stored import uptime
from tandem.user.wire import InvalidField

DELETED_STAGES = ("DELETED", "ERASED")


class UnreadableUser(TandemError):
    """What is stored of a user is in a form that no version of this program has written."""

    def __init__(self, user_id: int, why: str) -> None:
        super().__init__(
            f"User {user_id} cannot be read in PostgreSQL: {why}. Somebody has changed its rows by hand."
        )
        self.why = why


# What hangs off a user in tables of its own.
_PARTS = ("location", "login", "picture")


def next_state(before: Profile | None, profile: Profile) -> str:
    """The state, as JSON, of a user that had the profile `before`; see `change_users` for its parts."""
    state = msgspec.to_builtins(profile)
    for part in _PARTS:
        if before is not None and getattr(before, part) == getattr(profile, part):
            state.pop(part, None)
        else:
            state.setdefault(part, None)
    return _encode(state).decode()


_encode = msgspec.json.Encoder().encode
_decode_state = msgspec.json.Decoder(UserInput).decode


def stored_user(row: asyncpg.Record) -> StoredUser:
    """The user of a row of `read_users`.

    Raises:
        UnreadableUser: names the field and what is wrong with it, never what it holds.
    """
    if row["seed"] is None:
        raise UnreadableUser(row["id"], "PostgreSQL has no such user")
    profile = None if row["status"] in DELETED_STAGES else _profile_of(row)
    columns = (row["id"], row["seed"], row["app_id"], row["version"], row["created_at"])
    is_erased = row["status"] == "ERASED"
    return StoredUser(*columns, profile, row["traceparent"], row["updated_at"], is_erased, uptime())


def _profile_of(row: asyncpg.Record) -> Profile:
    try:
        return normalize(_decode_state(row["state"]))
    except (msgspec.MsgspecError, InvalidField, UnicodeDecodeError) as error:
        raise UnreadableUser(row["id"], str(error)) from None
