"""Between a profile and its rows: what `create_users` is given, and what recovery reads again."""

from collections.abc import Sequence
from datetime import datetime

import asyncpg
import msgspec

from tandem.cqrs import CreateUserCommand
from tandem.delivery.pending import Unreadable
from tandem.user import Dated, Location, Profile, StoredUser
from tandem.user.profile import Coordinates, Identity, Login, Name, Picture, Street
from tandem.user_command.reference_data import ReferenceIds


class UnreadableUser(Exception):
    """What is stored of a user is in a form that no version of this program has written."""

    def __init__(self, user_id: int, why: str) -> None:
        super().__init__(
            f"User {user_id} cannot be read in PostgreSQL: {why}. Somebody has changed its rows by hand."
        )


encode_state = msgspec.json.Encoder().encode
decode_state = msgspec.json.Decoder(Profile).decode

NOBODY = Name()
NO_LOCATION = Location()
NO_STREET = Street()
NOWHERE = Coordinates()
NO_DATE = Dated()
NO_IDENTITY = Identity()
NO_LOGIN = Login()
NO_PICTURE = Picture()


def row_of(command: CreateUserCommand, ids: ReferenceIds) -> tuple[object, ...]:
    """The record of type `new_user` for this command; `ids` has learnt its country and time zone."""
    profile = command.profile
    name = profile.name or NOBODY
    identity = profile.id or NO_IDENTITY
    born, registered = profile.dob or NO_DATE, profile.registered or NO_DATE
    location = profile.location or NO_LOCATION
    street = location.street or NO_STREET
    coordinates = location.coordinates or NOWHERE
    login = profile.login or NO_LOGIN
    picture = profile.picture or NO_PICTURE
    idempotency = command.idempotency
    return (
        profile.email,
        command.seed,
        encode_state(profile).decode(),
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
        None if idempotency is None else idempotency.key,
        None if idempotency is None else idempotency.fingerprint,
    )


def stored_user(row: asyncpg.Record) -> StoredUser | Unreadable:
    """The user of a row of `find_states`, or why that cannot be read.

    The reason names the field and what is wrong with it, never what it holds.
    """
    try:
        profile = decode_state(_whole(row))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        return Unreadable(row["id"], row["pending_version"], f"cannot be read: {error}")
    columns = (row["id"], row["seed"], row["app_id"], row["pending_version"], row["created_at"])
    return StoredUser(*columns, profile, row["traceparent"])


def _whole(row: asyncpg.Record) -> str:
    if row["seed"] is None:
        msg = "PostgreSQL has no such user"
    elif row["event_data"] is None:
        msg = "it has no event CREATED with a state"
    else:
        return str(row["event_data"])
    raise msgspec.ValidationError(msg)


def traceparents_of(commands: Sequence[CreateUserCommand]) -> list[str | None] | None:
    """The trace of each command; None where none has any, which costs PostgreSQL nothing."""
    traces = [command.traceparent for command in commands]
    return traces if any(traces) else None


def _moment(iso: str | None) -> datetime | None:
    return None if iso is None else datetime.fromisoformat(iso)
