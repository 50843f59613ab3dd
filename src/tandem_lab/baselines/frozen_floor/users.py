"""A user's profile, and the row and the document made of it, as they were when the floor was frozen."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec

from tandem.random_users import RandomUser


class Name(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """A person's name."""

    title: str | None = None
    first: str | None = None
    last: str | None = None


class Street(msgspec.Struct, frozen=True, gc=False):
    """A street."""

    number: int | None = None
    name: str | None = None


class Coordinates(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """A place on earth, in degrees."""

    latitude: str | None = None
    longitude: str | None = None


class Timezone(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """A time zone."""

    offset: str | None = None
    description: str | None = None


class Location(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """Where a person lives."""

    street: Street
    city: str
    state: str
    country: str
    postcode: str
    coordinates: Coordinates
    timezone: Timezone


class Login(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """A login's public half."""

    uuid: str | None = None
    username: str | None = None


class Dated(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """A moment (ISO 8601, UTC) and how many years ago it was."""

    date: str
    age: int | None = None


class Identity(msgspec.Struct, frozen=True, gc=False):
    """A national identity number."""

    name: str | None = None
    value: str | None = None


class Picture(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """Addresses of a portrait in three sizes."""

    large: str | None = None
    medium: str | None = None
    thumbnail: str | None = None


class Profile(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """All that is kept of a person."""

    email: str
    gender: str
    name: Name
    location: Location
    login: Login
    dob: Dated
    registered: Dated
    phone: str
    cell: str
    id: Identity
    picture: Picture
    nat: str


encode_state = msgspec.json.Encoder().encode


def profile_of(user: RandomUser) -> Profile:
    """The profile of a made-up user."""
    wire = msgspec.to_builtins(user)
    wire["location"]["postcode"] = str(wire["location"]["postcode"])
    return msgspec.convert(wire, Profile)


def row_of(
    user: Profile, seed: str, countries: Mapping[str, int], timezones: Mapping[Timezone, int]
) -> tuple[object, ...]:
    """The record of type `new_user` (schema.sql); countries and time zones by their ids."""
    location = user.location
    return (
        user.email,
        seed,
        encode_state(user).decode(),
        user.gender,
        user.name.title,
        user.name.first,
        user.name.last,
        datetime.fromisoformat(user.dob.date),
        user.dob.age,
        datetime.fromisoformat(user.registered.date),
        user.registered.age,
        user.phone,
        user.cell,
        user.id.name,
        user.id.value,
        user.nat,
        True,
        location.street.number,
        location.street.name,
        location.city,
        location.state,
        location.postcode,
        countries[location.country],
        location.coordinates.latitude,
        location.coordinates.longitude,
        timezones[location.timezone],
        True,
        user.login.uuid,
        user.login.username,
        True,
        user.picture.large,
        user.picture.medium,
        user.picture.thumbnail,
        None,
        None,
    )


def document_of(user_id: int, user: Profile, seed: str, app_id: str) -> dict[str, Any]:
    """What MongoDB holds of the user."""
    return {
        "_id": user_id,
        "seed": seed,
        "appId": app_id,
        "currentStatus": "SYNCRONIZED",
        "version": 1,
        **msgspec.to_builtins(user),
    }
