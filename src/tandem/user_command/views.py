"""What the command side answers: a user just created, and a user's rows and events as PostgreSQL has them."""

from datetime import datetime
from typing import Any, Self

import msgspec

from tandem.user import StoredUser
from tandem.user.profile import IdentifiedProfile
from tandem.user_command.event_log import Stage


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
    def of(cls, user: StoredUser, status: Stage) -> Self:
        """The answer for a user that was created a moment ago."""
        email = user.profile.email if user.profile else ""
        return cls(user.id, email, user.seed, user.app_id, status, user.version, user.created_at)


class UpdatedUser(CreatedUser, frozen=True, rename="camel"):
    """A user of which PostgreSQL has just committed a later version, or which a patch left as it was."""

    updated_at: datetime

    @classmethod
    def of(cls, user: StoredUser, status: Stage) -> Self:
        """The answer for a user that was updated a moment ago."""
        updated_at = user.updated_at or user.created_at
        return cls(**msgspec.structs.asdict(CreatedUser.of(user, status)), updated_at=updated_at)


class HistoryEvent(msgspec.Struct, frozen=True, rename="camel"):
    """What has happened to a user.

    CREATED carries its whole state, UPDATED a JSON Merge Patch (RFC 7396) of what changed. SYNCRONIZED says
    which version MongoDB has acknowledged. Of an erased user, no event has data.
    """

    version: int
    event_type: Stage
    event_data: dict[str, Any] | None
    seed: str
    app_id: str
    created_at: datetime


class UserState(IdentifiedProfile, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    """A user as it was at a version: who it is, then its profile in the shape of randomuser.me 1.4."""

    created_at: datetime = msgspec.field(name="createdAt")
    updated_at: datetime = msgspec.field(name="updatedAt")


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
    """A row of `prm_user_event`, with the data in the format in which it is stored."""

    id: int
    version: int
    event_type: Stage
    event_data: dict[str, Any] | None
    format: int
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
    updated_at: datetime | None
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
