"""Between a profile and its rows: what `create_users` is given of each user."""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from tandem.cqrs import CreateUserCommand
from tandem.user import Dated, Location, Profile
from tandem.user.profile import Coordinates, Identity, Login, Name, Picture, Street
from tandem.user_command.reference_data import ReferenceIds

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


def traceparents_of(commands: Sequence[CreateUserCommand]) -> list[str | None] | None:
    """The trace of each command; None where none has any, which costs PostgreSQL nothing."""
    traces = [command.traceparent for command in commands]
    return traces if any(traces) else None


def _moment(iso: str | None) -> datetime | None:
    return None if iso is None else datetime.fromisoformat(iso)
