"""Countries and time zones: tables of their own, whose ids are looked up once and then remembered."""

from collections.abc import Iterable

from tandem.user import Profile
from tandem.user.profile import Timezone
from tandem.user_command.database import Database

# There are some 250 countries; whoever sends others all the time must not fill our memory.
MOST_REMEMBERED = 10_000


class ReferenceIds:
    """The ids of all countries and time zones met so far, filled from PostgreSQL as new ones come."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._countries: dict[str, int] = {}
        self._timezones: dict[Timezone, int] = {}

    def country(self, name: str | None) -> int | None:
        """The id of a country that `learn` has seen."""
        return None if name is None else self._countries[name]

    def timezone(self, timezone: Timezone | None) -> int | None:
        """The id of a time zone that `learn` has seen."""
        return None if timezone is None else self._timezones[timezone]

    async def learn(self, profiles: Iterable[Profile]) -> None:
        """Make sure that every country and time zone of `profiles` has an id.

        Raises:
            Unavailable: PostgreSQL does not answer.
        """
        locations = [profile.location for profile in profiles if profile.location is not None]
        countries = {place.country for place in locations if place.country is not None}
        timezones = {place.timezone for place in locations if place.timezone is not None}
        # Until both are there: while one is looked up, another batch may empty the memory of the other.
        while not (countries <= self._countries.keys() and timezones <= self._timezones.keys()):
            await self._learn_countries(countries)
            await self._learn_timezones(timezones)

    async def _learn_countries(self, names: set[str]) -> None:
        if len(self._countries) > MOST_REMEMBERED:
            self._countries.clear()
        unknown = sorted(names - self._countries.keys())
        # Two statements: the first one's snapshot does not see what another transaction has just added.
        await self._database.fetch("add_countries", unknown)
        rows = await self._database.fetch("find_countries", unknown)
        self._countries |= {row["name"]: row["id"] for row in rows}

    async def _learn_timezones(self, timezones: set[Timezone]) -> None:
        if len(self._timezones) > MOST_REMEMBERED:
            self._timezones.clear()
        unknown = sorted(timezones - self._timezones.keys(), key=str)
        columns = [zone.offset for zone in unknown], [zone.description for zone in unknown]
        await self._database.fetch("add_timezones", *columns)
        rows = await self._database.fetch("find_timezones", *columns)
        self._timezones |= {Timezone(row["utc_offset"], row["description"]): row["id"] for row in rows}
