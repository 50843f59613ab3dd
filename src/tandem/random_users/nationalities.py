"""The names, places and patterns that users are made of, read from the TOML files beside this module."""

import tomllib
from importlib import resources
from typing import Annotated, Any

import msgspec
from msgspec import Meta

Texts = Annotated[tuple[str, ...], Meta(min_length=1)]


class Common(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What does not depend on the nationality; `timezones` are pairs of offset and description."""

    male_titles: Texts
    female_titles: Texts
    adjectives: Texts
    animals: Texts
    timezones: tuple[tuple[str, str], ...]


class Nationality(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One country. `cities` are pairs of city and state; `id` is a name and a pattern."""

    country: str
    male: Texts
    female: Texts
    last: Texts
    cities: tuple[tuple[str, str], ...]
    streets: Texts
    postcode: str
    postcode_is_text: bool = False
    phone: str
    cell: str
    id: tuple[str, str] | None = None
    male_titles: tuple[str, ...] = ()
    female_titles: tuple[str, ...] = ()


def _read(name: str) -> dict[str, Any]:
    return tomllib.loads(resources.files(__package__).joinpath(name).read_text("utf-8"))


COMMON = msgspec.convert(_read("common.toml"), Common)
NATIONALITIES = tuple(msgspec.convert(_read("nationalities.toml"), dict[str, Nationality]).items())
