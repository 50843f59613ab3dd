"""Between a user and its rows: what the statements that write are given, and what is read again."""

from datetime import datetime
from typing import NamedTuple, TypeAlias

import asyncpg
import msgspec

from tandem.errors import TandemError
from tandem.user import Profile, StoredUser, UserInput, normalize
from tandem.user.profile import (
    NO_COORDINATES,
    NO_DATE,
    NO_IDENTITY,
    NO_LOCATION,
    NO_LOGIN,
    NO_NAME,
    NO_PICTURE,
    NO_STREET,
)
from tandem.user.stored import uptime
from tandem.user.wire import InvalidField
from tandem.user_command.reference_data import ReferenceIds

DELETED_STAGES = ("DELETED", "ERASED")


class UnreadableUser(TandemError):
    """What is stored of a user is in a form that no version of this program has written."""

    def __init__(self, user_id: int, why: str) -> None:
        super().__init__(
            f"User {user_id} cannot be read in PostgreSQL: {why}. Somebody has changed its rows by hand."
        )
        self.why = why


class UserRow(NamedTuple):
    """A record of PostgreSQL's type `user_row_v1`: the fields have its names and its order.

    Of `has_location`, `has_login` and `has_picture`, None leaves that row of an existing user as it is.
    """

    email: str
    gender: str | None = None
    title: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    birth_at: datetime | None = None
    birth_age: int | None = None
    registered_at: datetime | None = None
    registered_age: int | None = None
    phone: str | None = None
    cell: str | None = None
    identity_name: str | None = None
    identity_value: str | None = None
    nationality: str | None = None
    has_location: bool | None = False
    street_number: int | None = None
    street_name: str | None = None
    city: str | None = None
    state: str | None = None
    postcode: str | None = None
    country_id: int | None = None
    latitude: str | None = None
    longitude: str | None = None
    timezone_id: int | None = None
    has_login: bool | None = False
    uuid: str | None = None
    username: str | None = None
    has_picture: bool | None = False
    large: str | None = None
    medium: str | None = None
    thumbnail: str | None = None
    seed: str | None = None
    event_data: str | None = None
    idempotency_key: str | None = None
    fingerprint: bytes | None = None
    traceparent: str | None = None


#: What comes with a command: the seed, the event's data, the key, its fingerprint, the trace.
OfCommand: TypeAlias = tuple[str | None, str | None, str | None, bytes | None, str | None]


#: The fields of a `UserRow`. To name them costs twice as much, and every new user comes through here.
Row: TypeAlias = tuple[object, ...]


def row_of(
    profile: Profile, ids: ReferenceIds, of_command: OfCommand = (None, None, None, None, None)
) -> Row:
    """The record of this profile; `ids` has learnt its country and time zone."""
    name = profile.name or NO_NAME
    identity = profile.id or NO_IDENTITY
    born, registered = profile.dob or NO_DATE, profile.registered or NO_DATE
    location = profile.location or NO_LOCATION
    street = location.street or NO_STREET
    coordinates = location.coordinates or NO_COORDINATES
    login = profile.login or NO_LOGIN
    picture = profile.picture or NO_PICTURE
    return (
        profile.email,
        profile.gender,
        name.title,
        name.first,
        name.last,
        _moment(born.date),
        born.age,
        _moment(registered.date),
        registered.age,
        profile.phone,
        profile.cell,
        identity.name,
        identity.value,
        profile.nat,
        profile.location is not None,
        street.number,
        street.name,
        location.city,
        location.state,
        location.postcode,
        ids.country(location.country),
        coordinates.latitude,
        coordinates.longitude,
        ids.timezone(location.timezone),
        profile.login is not None,
        login.uuid,
        login.username,
        profile.picture is not None,
        picture.large,
        picture.medium,
        picture.thumbnail,
        *of_command,
    )


def next_row(before: Profile | None, profile: Profile, ids: ReferenceIds) -> UserRow:
    """The record of a user that had the profile `before`: what hangs off it is written where it differs."""
    row = UserRow._make(row_of(profile, ids))
    if before is None:
        return row
    return row._replace(
        has_location=row.has_location if profile.location != before.location else None,
        has_login=row.has_login if profile.login != before.login else None,
        has_picture=row.has_picture if profile.picture != before.picture else None,
    )


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


def _moment(iso: str | None) -> datetime | None:
    return None if iso is None else datetime.fromisoformat(iso)
