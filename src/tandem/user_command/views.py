"""What the command side answers: a user just created, and a user's rows and events as PostgreSQL has them."""

from datetime import datetime
from typing import Any, Literal

import msgspec

from tandem.user import StoredUser

Stage = Literal["CREATED", "UPDATED", "DELETED", "SYNCRONIZED"]


class CreatedUser(msgspec.Struct, frozen=True, rename="camel"):
    """A user that PostgreSQL has just committed."""

    id: int
    email: str
    seed: str
    app_id: str
    status: Stage
    version: int
    created_at: datetime

    @classmethod
    def of(cls, user: StoredUser) -> "CreatedUser":
        """The answer for a user that was created a moment ago."""
        return cls(
            user.id, user.profile.email, user.seed, user.app_id, "CREATED", user.version, user.created_at
        )


class CountryRow(msgspec.Struct, frozen=True, rename="camel"):
    """A row of `prm_country`."""

    id: int
    name: str


class TimezoneRow(msgspec.Struct, frozen=True, rename="camel"):
    """A row of `prm_timezone`."""

    id: int
    utc_offset: str | None
    description: str | None


class LocationRow(msgspec.Struct, frozen=True, rename="camel"):
    """A row of `prm_user_location`, with the country and the time zone that it points to."""

    street_number: int | None
    street_name: str | None
    city: str | None
    state: str | None
    postcode: str | None
    latitude: str | None
    longitude: str | None
    country: CountryRow | None
    timezone: TimezoneRow | None


class LoginRow(msgspec.Struct, frozen=True, rename="camel"):
    """A row of `prm_user_login`."""

    uuid: str | None
    username: str | None


class PictureRow(msgspec.Struct, frozen=True, rename="camel"):
    """A row of `prm_user_picture`."""

    large: str | None
    medium: str | None
    thumbnail: str | None


class EventRow(msgspec.Struct, frozen=True, rename="camel"):
    """A row of `prm_user_event`; CREATED carries the user's whole state."""

    id: int
    version: int
    event_type: Stage
    event_data: dict[str, Any] | None
    seed: str
    app_id: str
    created_at: datetime


class UserRows(msgspec.Struct, frozen=True, rename="camel"):
    """A user in normal form: the row of `prm_user`, the rows that hang off it, and its events in order."""

    id: int
    email: str
    seed: str
    app_id: str
    status: Stage
    version: int
    created_at: datetime
    gender: str | None
    title: str | None
    first_name: str | None
    last_name: str | None
    birth_at: datetime | None
    birth_age: int | None
    registered_at: datetime | None
    registered_age: int | None
    phone: str | None
    cell: str | None
    identity_name: str | None
    identity_value: str | None
    nationality: str | None
    location: LocationRow | None
    login: LoginRow | None
    picture: PictureRow | None
    events: list[EventRow]
