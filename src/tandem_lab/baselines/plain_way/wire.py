"""What clients send and get back: users in the format of randomuser.me 1.3 and 1.4."""

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

Text = Annotated[str, Field(max_length=200)]
Url = Annotated[str, Field(max_length=2_000)]


class Name(BaseModel):
    """A person's name."""

    title: Text | None = None
    first: Text | None = None
    last: Text | None = None


class Street(BaseModel):
    """A street."""

    number: int | None = None
    name: Text | None = None


class Coordinates(BaseModel):
    """A place on earth, in degrees."""

    latitude: Text | None = None
    longitude: Text | None = None


class Timezone(BaseModel):
    """A time zone: its offset from UTC as text, and cities in it."""

    offset: Text | None = None
    description: Text | None = None


class Location(BaseModel):
    """Where a person lives. A postcode is kept as text, although it is a number in some countries."""

    model_config = ConfigDict(coerce_numbers_to_str=True)

    street: Street = Street()
    city: Text | None = None
    state: Text | None = None
    country: Text | None = None
    postcode: Text | None = None
    coordinates: Coordinates = Coordinates()
    timezone: Timezone | None = None


class Login(BaseModel):
    """The public part of a login; passwords are not read."""

    uuid: Text | None = None
    username: Text | None = None


class Dated(BaseModel):
    """A date, and how many years ago it was."""

    date: datetime | None = None
    age: int | None = None


class Identity(BaseModel):
    """A national identity number."""

    name: Text | None = None
    value: Text | None = None


class Picture(BaseModel):
    """Addresses of a portrait in three sizes."""

    large: Url | None = None
    medium: Url | None = None
    thumbnail: Url | None = None


class UserIn(BaseModel):
    """A user; all but the e-mail address may be missing."""

    email: Annotated[str, Field(max_length=320, pattern=r"^[^@\s]+@[^@\s]+$")]
    gender: Text | None = None
    name: Name = Name()
    location: Location | None = None
    login: Login | None = None
    dob: Dated = Dated()
    registered: Dated = Dated()
    phone: Text | None = None
    cell: Text | None = None
    id: Identity = Identity()
    picture: Picture | None = None
    nat: Text | None = None


class UserOut(BaseModel):
    """A user that PostgreSQL has just committed."""

    model_config = ConfigDict(from_attributes=True, alias_generator=to_camel, populate_by_name=True)

    id: int
    email: str
    seed: str
    app_id: str
    status: str
    version: int
    created_at: datetime
