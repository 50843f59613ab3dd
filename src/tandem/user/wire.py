"""What clients may send: a user as randomuser.me has sent it in versions 1.0 to 1.4, or a bare e-mail.

Decoding checks types, ranges and lengths; `normalize` then brings every form that a field has had to one. An
object without any value becomes absent.
"""

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated

import msgspec
from msgspec import Meta

from tandem.errors import TandemError
from tandem.user.profile import (
    NO_COORDINATES,
    NO_DATE,
    NO_IDENTITY,
    NO_LOCATION,
    NO_LOGIN,
    NO_NAME,
    NO_PICTURE,
    NO_STREET,
    NO_TIMEZONE,
    Coordinates,
    Dated,
    Email,
    Identity,
    Location,
    Login,
    Name,
    Picture,
    Profile,
    SmallInteger,
    Street,
    Text,
    Timezone,
)

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# The form that `normalize` brings dates to, and that today's API sends.
_NORMAL_DATE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", re.ASCII)

PostcodeNumber = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]
EpochSeconds = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1, description="Seconds since 1970.")]


class InvalidField(TandemError):
    """A field holds what cannot be kept. `pointer` is its JSON pointer (RFC 6901), `detail` says why."""

    def __init__(self, pointer: str, detail: str) -> None:
        super().__init__(f"{pointer}: {detail}")
        self.pointer = pointer
        self.detail = detail


class DatedInput(msgspec.Struct, frozen=True, gc=False):
    """A moment as versions 1.2 to 1.4 send it."""

    date: Text | None = None
    age: SmallInteger | None = None


class LocationInput(msgspec.Struct, frozen=True, gc=False):
    """A location of any version."""

    street: Street | Text | None = None
    city: Text | None = None
    state: Text | None = None
    country: Text | None = None
    postcode: PostcodeNumber | Text | None = None
    coordinates: Coordinates | None = None
    timezone: Timezone | None = None


class PersonInput(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """All but the e-mail of a user in the format of randomuser.me. Unknown fields are ignored."""

    gender: Text | None = None
    name: Name | None = None
    location: LocationInput | None = None
    login: Login | None = None
    dob: DatedInput | EpochSeconds | Text | None = None
    registered: DatedInput | EpochSeconds | Text | None = None
    phone: Text | None = None
    cell: Text | None = None
    id: Identity | None = None
    picture: Picture | None = None
    nat: Text | None = None


class UserInput(PersonInput, frozen=True, gc=False, kw_only=True):
    """A user in the format of randomuser.me: all but `email` may be missing, unknown fields are ignored."""

    email: Email


class UserPatch(PersonInput, frozen=True, gc=False, kw_only=True):
    """A JSON Merge Patch (RFC 7396) of a user: null removes a field; `email` has to stay."""

    email: Email | msgspec.UnsetType = msgspec.UNSET


def normalize(user: UserInput) -> Profile:
    """The profile in the shape of version 1.4, text kept to the code point.

    Raises:
        InvalidField: a date is none, or lies outside of the years 1 to 9999.
    """
    return Profile(
        email=user.email,
        gender=user.gender,
        name=None if user.name == NO_NAME else user.name,
        location=None if user.location is None else _location(user.location),
        login=None if user.login == NO_LOGIN else user.login,
        dob=_dated(user.dob, "#/dob"),
        registered=_dated(user.registered, "#/registered"),
        phone=user.phone,
        cell=user.cell,
        id=None if user.id == NO_IDENTITY else user.id,
        picture=None if user.picture == NO_PICTURE else user.picture,
        nat=user.nat,
    )


def _location(location: LocationInput) -> Location | None:
    street, postcode = location.street, location.postcode
    if isinstance(street, str):
        street = Street(None, street)
    normal = Location(
        street=None if street == NO_STREET else street,
        city=location.city,
        state=location.state,
        country=location.country,
        postcode=str(postcode) if isinstance(postcode, int) else postcode,
        coordinates=None if location.coordinates == NO_COORDINATES else location.coordinates,
        timezone=None if location.timezone == NO_TIMEZONE else location.timezone,
    )
    return None if normal == NO_LOCATION else normal


def _dated(value: DatedInput | int | str | None, pointer: str) -> Dated | None:
    if value is None:
        return None
    if isinstance(value, DatedInput):
        date = None if value.date is None else _iso(value.date, f"{pointer}/date")
        normal = Dated(date, value.age)
        return None if normal == NO_DATE else normal
    return Dated(_iso(value, pointer))


def _iso(moment: int | str, pointer: str) -> str:
    """The moment as `YYYY-MM-DDTHH:MM:SS.mmmZ`; a date without a zone is UTC, as the API means it."""
    try:
        if isinstance(moment, int):
            when = EPOCH + timedelta(seconds=moment)
        else:
            when = datetime.fromisoformat(moment)
            if _NORMAL_DATE.fullmatch(moment):
                return moment
            when = when.replace(tzinfo=UTC) if when.tzinfo is None else when.astimezone(UTC)
    except (ValueError, OverflowError):
        detail = "is not a date between the years 1 and 9999 (ISO 8601, or seconds since 1970)"
        raise InvalidField(pointer, detail) from None
    precision = "microseconds" if when.microsecond % 1000 else "milliseconds"
    return when.replace(tzinfo=None).isoformat(timespec=precision) + "Z"
