"""Countries and time zones: tables of their own, whose ids are looked up once and then remembered."""

from collections.abc import Iterable, Sequence
from typing import Any

import asyncpg

from tandem.kernel import Unavailable
from tandem.postgres.database import Database
from tandem.postgres.queries import Query
from tandem.user import Profile
from tandem.user.profile import NO_LOCATION, Timezone
from tandem.user_command.queries import QUERIES

# There are some 250 countries; whoever sends others all the time must not fill our memory.
MOST_REMEMBERED = 10_000


class ReferenceIds:
    """The ids of all countries and time zones met so far, filled from PostgreSQL as new ones come."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._server = database.server
        self._countries: dict[str, int] = {}
        self._timezones: dict[Timezone, int] = {}

    def columns(self, profiles: Sequence[Profile]) -> tuple[list[int | None], list[int | None]]:
        """The ids of their countries and of their time zones; `learn` has seen these profiles."""
        places = [profile.location or NO_LOCATION for profile in profiles]
        return (
            [None if place.country is None else self._countries[place.country] for place in places],
            [None if place.timezone is None else self._timezones[place.timezone] for place in places],
        )

    def knows(self, profile: Profile) -> bool:
        """Whether its country and time zone have ids here: after `learn`, unless others hold them."""
        place = profile.location
        return place is None or (
            (place.country is None or place.country in self._countries)
            and (place.timezone is None or place.timezone in self._timezones)
        )

    async def learn(self, profiles: Iterable[Profile]) -> None:
        """Learn the ids of all countries and time zones of `profiles`, but for those that others hold.

        Raises:
            Unavailable: PostgreSQL does not answer, or is another server than a moment ago.
        """
        if self._server != self._database.server:
            # A server that was promoted or restored may lack some, or have given their ids to others.
            self._server = self._database.server
            self._countries.clear()
            self._timezones.clear()
        locations = [profile.location for profile in profiles if profile.location is not None]
        countries = {place.country for place in locations if place.country is not None}
        timezones = {place.timezone for place in locations if place.timezone is not None}
        # Twice: while one is looked up, another batch may empty the memory of the other.
        for _ in range(2):
            if countries <= self._countries.keys() and timezones <= self._timezones.keys():
                return
            await self._learn_countries(countries)
            await self._learn_timezones(timezones)

    async def _learn_countries(self, names: set[str]) -> None:
        if len(self._countries) > MOST_REMEMBERED:
            self._countries.clear()
        unknown = sorted(names - self._countries.keys())
        # Two statements: the first one's snapshot does not see what another transaction has just added.
        rows = await self._added(QUERIES["add_countries"], QUERIES["find_countries"], unknown)
        self._countries |= {row["name"]: row["id"] for row in rows}

    async def _learn_timezones(self, timezones: set[Timezone]) -> None:
        if len(self._timezones) > MOST_REMEMBERED:
            self._timezones.clear()
        unknown = sorted(timezones - self._timezones.keys(), key=str)
        columns = [zone.offset for zone in unknown], [zone.description for zone in unknown]
        rows = await self._added(QUERIES["add_timezones"], QUERIES["find_timezones"], *columns)
        self._timezones |= {Timezone(row["utc_offset"], row["description"]): row["id"] for row in rows}

    async def _added(self, add: Query, find: Query, *columns: list[Any]) -> list[asyncpg.Record]:
        if not columns[0]:
            return []
        server = self._database.server
        await self._database.fetch(add, *columns, server=server)
        rows = await self._database.fetch(find, *columns, server=server)
        if server != self._database.server:
            msg = "Another PostgreSQL has taken over meanwhile"
            raise Unavailable(msg)
        return rows
