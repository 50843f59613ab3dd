"""Users in PostgreSQL and MongoDB, one at a time. SQLAlchemy Core, because the ORM would be slower."""

from datetime import datetime
from typing import Any

from sqlalchemy import MetaData, Sequence, Table, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from tandem.mongodb.client import Collection as Documents
from tandem_lab.baselines.places import location_columns, user_columns
from tandem_lab.baselines.plain_way.wire import Location, Timezone, UserIn, UserOut

NAME = "plain_way"
CONNECTIONS = 20


def open_engine(postgres_url: str) -> AsyncEngine:
    """A pool of connections that work in the schema `plain_way`."""
    return create_async_engine(
        make_url(postgres_url).set(drivername="postgresql+asyncpg", query={}),
        pool_size=CONNECTIONS,
        max_overflow=0,
        connect_args={"server_settings": {"search_path": NAME}},
    )


class Storage:
    """Writes each user to PostgreSQL in a transaction of its own, then to MongoDB."""

    def __init__(self, engine: AsyncEngine, documents: Documents) -> None:
        self._engine = engine
        self._documents = documents
        self._tables = MetaData()
        self._ids = Sequence("prm_user_id_seq")
        self._countries: dict[str, int] = {}
        self._timezones: dict[tuple[str | None, str | None], int] = {}

    async def open(self) -> None:
        """Read the tables' columns from the database."""
        async with self._engine.connect() as connection:
            await connection.run_sync(self._tables.reflect)

    async def create(self, user: UserIn, seed: str) -> UserOut:
        """Commit the user's rows and its CREATED event."""
        country_id, timezone_id = await self._reference_ids(user.location)
        origin: dict[str, Any] = {"seed": seed, "app_id": NAME, "version": 1}
        async with self._engine.begin() as connection:
            user_id, created_at = await self._insert_user(connection, origin | user_columns(user))
            owner = {"user_id": user_id}
            if user.location is not None:
                places = {"country_id": country_id, "timezone_id": timezone_id}
                await self._insert(
                    connection, "prm_user_location", owner | places | location_columns(user.location)
                )
            if user.login is not None:
                await self._insert(connection, "prm_user_login", owner | user.login.model_dump())
            if user.picture is not None:
                await self._insert(connection, "prm_user_picture", owner | user.picture.model_dump())
            event = {"event_type": "CREATED", "event_data": state_of(user), "created_at": created_at}
            await self._insert(connection, "prm_user_event", owner | origin | event)
        return UserOut(id=user_id, email=user.email, status="CREATED", created_at=created_at, **origin)

    async def project(self, created: UserOut, user: UserIn) -> None:
        """Write the user's document, then record that it is there."""
        document = {"_id": created.id, "seed": created.seed, "appId": NAME, "currentStatus": "SYNCRONIZED"}
        await self._documents.insert_one(document | {"version": created.version} | state_of(user))
        users = self._tables.tables["prm_user"]
        event = {"user_id": created.id, "version": created.version, "event_type": "SYNCRONIZED"}
        origin = {"seed": created.seed, "app_id": NAME, "created_at": func.now()}
        async with self._engine.begin() as connection:
            await connection.execute(
                users.update().where(users.c.id == created.id).values(status="SYNCRONIZED")
            )
            await self._insert(connection, "prm_user_event", event | origin)

    async def find_newest(self, email: str) -> dict[str, Any] | None:
        """The newest user of an address."""
        return await self._documents.find_one({"email": email}, sort=[("_id", -1)])

    async def _insert_user(self, connection: AsyncConnection, row: dict[str, Any]) -> tuple[int, datetime]:
        users = self._tables.tables["prm_user"]
        given = {"id": self._ids.next_value(), "status": "CREATED", "created_at": func.now()}
        statement = insert(users).values(row | given).returning(users.c.id, users.c.created_at)
        user_id, created_at = (await connection.execute(statement)).one()
        return user_id, created_at

    async def _insert(self, connection: AsyncConnection, table: str, row: dict[str, Any]) -> None:
        await connection.execute(insert(self._tables.tables[table]).values(row))

    async def _reference_ids(self, location: Location | None) -> tuple[int | None, int | None]:
        """The ids of the country and the time zone, looked up once and then remembered."""
        if location is None:
            return None, None
        name, zone = location.country, location.timezone or Timezone()
        key = (zone.offset, zone.description)
        if name is not None and name not in self._countries:
            self._countries[name] = await self._id_of(self._tables.tables["prm_country"], {"name": name})
        if location.timezone is not None and key not in self._timezones:
            row = {"utc_offset": zone.offset, "description": zone.description}
            self._timezones[key] = await self._id_of(self._tables.tables["prm_timezone"], row)
        return self._countries.get(name or ""), self._timezones.get(key)

    async def _id_of(self, table: Table, row: dict[str, str | None]) -> int:
        same = [table.c[column].is_not_distinct_from(value) for column, value in row.items()]
        async with self._engine.begin() as connection:
            await connection.execute(insert(table).values(row).on_conflict_do_nothing())
            return int((await connection.execute(select(table.c.id).where(*same))).scalar_one())


def state_of(user: UserIn) -> dict[str, Any]:
    """The user as it is stored, in JSON types."""
    return user.model_dump(mode="json", exclude_none=True)
