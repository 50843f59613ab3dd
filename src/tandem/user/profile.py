"""A user's profile in its normal form: the shape of randomuser.me 1.4, without anything secret.

This is the state that an event carries, that PostgreSQL spreads over its tables and that MongoDB's document
shows. What was not sent is None here and absent in JSON; only a street's number and an id's value are
written as null, as the API itself does.
"""

from typing import Annotated

import msgspec
from msgspec import Meta

# Lengths are bounded so that one user can never fail a whole batch: PostgreSQL refuses index entries over
# 2,704 bytes, and every text below costs at most 4 bytes a character.
Text = Annotated[str, Meta(max_length=200)]
Url = Annotated[str, Meta(max_length=2_000)]
SmallInteger = Annotated[int, Meta(ge=-32_768, le=32_767)]
Integer = Annotated[int, Meta(ge=-2_147_483_648, le=2_147_483_647)]
Email = Annotated[
    str,
    Meta(
        max_length=320,
        # `$(?!\n)` is the end in Python and in JSON Schema; `\Z` is a letter there.
        pattern=r"^[^@\s\x00-\x1f\x7f-\x9f]+@[^@\s\x00-\x1f\x7f-\x9f]+$(?!\n)",
        description="At most 320 characters; one @ with text on both sides; no space or control character.",
        examples=["jane@example.com"],
    ),
]
Seed = Annotated[
    str, Meta(min_length=1, max_length=100, description="Names the run that this user belongs to.")
]


class Name(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """A person's name."""

    title: Text | None = None
    first: Text | None = None
    last: Text | None = None


class Street(msgspec.Struct, frozen=True, gc=False):
    """A street; an address from before API version 1.3 is whole in `name`."""

    number: Integer | None = None
    name: Text | None = None


class Coordinates(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """A place on earth, in degrees; text, as the API sends it."""

    latitude: Text | None = None
    longitude: Text | None = None


class Timezone(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """A time zone: its offset from UTC as text (`+3:30`) and cities in it."""

    offset: Text | None = None
    description: Text | None = None


class Location(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """Where a person lives."""

    street: Street | None = None
    city: Text | None = None
    state: Text | None = None
    country: Text | None = None
    postcode: Text | None = None
    coordinates: Coordinates | None = None
    timezone: Timezone | None = None


class Login(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """A login's public half. Passwords, salts and hashes are never decoded, so they cannot be kept."""

    uuid: Text | None = None
    username: Text | None = None


class Dated(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """A moment (ISO 8601, UTC, milliseconds) and, as sent, how many years ago it was."""

    date: str | None = None
    age: SmallInteger | None = None


class Identity(msgspec.Struct, frozen=True, gc=False):
    """A national identity number; the value is null where a country has none."""

    name: Text | None = None
    value: Text | None = None


class Picture(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """Addresses of a portrait in three sizes."""

    large: Url | None = None
    medium: Url | None = None
    thumbnail: Url | None = None


class Profile(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """All that is kept of a person."""

    email: str
    gender: Text | None = None
    name: Name | None = None
    location: Location | None = None
    login: Login | None = None
    dob: Dated | None = None
    registered: Dated | None = None
    phone: Text | None = None
    cell: Text | None = None
    id: Identity | None = None
    picture: Picture | None = None
    nat: Text | None = None


class IdentifiedProfile(Profile, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    """A profile and whose it is, as both sides answer it."""

    user_id: Annotated[int, Meta(description="The user's id; `id` is the person's national identity.")] = (
        msgspec.field(name="_id")
    )
    seed: str
    app_id: Annotated[str, Meta(description="The instance that created the user.")] = msgspec.field(
        name="appId"
    )
    version: int


# Objects without any value. They say no more than their absence, and rows could not tell the two apart.
NO_NAME = Name()
NO_STREET = Street()
NO_COORDINATES = Coordinates()
NO_TIMEZONE = Timezone()
NO_LOCATION = Location()
NO_LOGIN = Login()
NO_DATE = Dated()
NO_IDENTITY = Identity()
NO_PICTURE = Picture()
