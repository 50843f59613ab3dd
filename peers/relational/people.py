"""Users in four tables, for all peers that keep them by SQLAlchemy."""

import os
from datetime import datetime
from typing import Any

import asyncpg
from sqlalchemy import BigInteger, DateTime, ForeignKey, Identity, func
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from tandem_lab.baselines.plain_way.wire import Timezone, UserIn

CONNECTIONS = 20


class Base(DeclarativeBase):
    """Text and integers as Python has them, moments with a time zone, JSON as JSONB."""

    type_annotation_map = {datetime: DateTime(timezone=True), dict[str, Any]: JSONB}


class User(Base):
    """A person."""

    __tablename__ = "users"

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    email: Mapped[str] = mapped_column(index=True)
    gender: Mapped[str | None]
    title: Mapped[str | None]
    first_name: Mapped[str | None]
    last_name: Mapped[str | None]
    born_at: Mapped[datetime | None]
    age: Mapped[int | None]
    registered_at: Mapped[datetime | None]
    registered_age: Mapped[int | None]
    phone: Mapped[str | None]
    cell: Mapped[str | None]
    identity_name: Mapped[str | None]
    identity_value: Mapped[str | None]
    nat: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    location: Mapped["Location | None"] = relationship()
    login: Mapped["Login | None"] = relationship()
    picture: Mapped["Picture | None"] = relationship()


class OfUser:
    """A row that each user has at most once."""

    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), primary_key=True)


class Location(OfUser, Base):
    """Where a user lives."""

    __tablename__ = "locations"

    street_number: Mapped[int | None]
    street_name: Mapped[str | None]
    city: Mapped[str | None]
    state: Mapped[str | None]
    country: Mapped[str | None]
    postcode: Mapped[str | None]
    latitude: Mapped[str | None]
    longitude: Mapped[str | None]
    utc_offset: Mapped[str | None]
    timezone: Mapped[str | None]


class Login(OfUser, Base):
    """How a user is known to a site."""

    __tablename__ = "logins"

    uuid: Mapped[str | None]
    username: Mapped[str | None]


class Picture(OfUser, Base):
    """Addresses of a user's portrait."""

    __tablename__ = "pictures"

    large: Mapped[str | None]
    medium: Mapped[str | None]
    thumbnail: Mapped[str | None]


def open_engine() -> AsyncEngine:
    """A pool. It empties itself when PostgreSQL ends a connection, so no use has to begin with a ping.

    asyncpg connects by itself, as it understands URLs of PostgreSQL better than SQLAlchemy does.
    """
    url = os.environ["POSTGRES_URL"]
    return create_async_engine(
        "postgresql+asyncpg://",
        async_creator=lambda: asyncpg.connect(url),
        pool_size=CONNECTIONS,
        max_overflow=0,
    )


def row_of(user: UserIn) -> User:
    """The user with the rows that belong to it."""
    return User(
        **user.model_dump(include={"email", "gender", "phone", "cell", "nat"}),
        title=user.name.title,
        first_name=user.name.first,
        last_name=user.name.last,
        born_at=user.dob.date,
        age=user.dob.age,
        registered_at=user.registered.date,
        registered_age=user.registered.age,
        identity_name=user.id.name,
        identity_value=user.id.value,
        location=location_of(user),
        login=user.login and Login(**user.login.model_dump()),
        picture=user.picture and Picture(**user.picture.model_dump()),
    )


def location_of(user: UserIn) -> Location | None:
    """Where the user lives, if it says so."""
    if (place := user.location) is None:
        return None
    zone = place.timezone or Timezone()
    return Location(
        **place.model_dump(include={"city", "state", "country", "postcode"}),
        **place.coordinates.model_dump(),
        street_number=place.street.number,
        street_name=place.street.name,
        utc_offset=zone.offset,
        timezone=zone.description,
    )
