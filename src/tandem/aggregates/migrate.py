"""The schemas of aggregates: the tables that every kind has, its own, and the triggers of its reactions.

Each kind has two series of numbered files: ours, which are the same for every kind, and those in the folder
`migrations` of its package. Both are applied like those of users, and remembered beside them.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from importlib import resources
from typing import Any, TypeAlias

import asyncpg

from tandem.aggregates.definition import USER, Aggregate, Reaction
from tandem.aggregates.queries import own_queries
from tandem.aggregates.reactions import followed, reactions_of
from tandem.kernel import Unavailable, UnsuitableServer
from tandem.postgres.database import Database
from tandem.postgres.queries import load_queries
from tandem.user_command.migrate import Steps, first_line
from tandem.user_command.schema import Applied, Migration, Schema, Step, require_known_or_additive

QUERIES = load_queries(__package__ or "", "aggregates.sql")
#: What was applied, by the name that it is remembered by: that of a series of files, or of a reaction.
Done: TypeAlias = Mapping[str, list[Applied]]

_REMEMBER = (
    "INSERT INTO tandem_aggregate_migration (aggregate, number, name, additive, checksum) "
    "VALUES ($1, $2, $3, $4, $5) ON CONFLICT (aggregate, number) DO UPDATE SET "
    "name = excluded.name, checksum = excluded.checksum"
)
_FORGET = "DELETE FROM tandem_aggregate_migration WHERE aggregate = $1"
_DROP = """
DO $$
DECLARE
    log regclass := (SELECT tgrelid FROM pg_trigger WHERE tgname = {name} AND tgparentid = 0);
BEGIN
    IF log IS NOT NULL THEN
        EXECUTE format('DROP TRIGGER %I ON %s', {name}, log);
    END IF;
END $$;
"""

# All tables and views of a kind. What is written of users may not be deleted, and neither may events here.
_GRANTS = """
DO $$
DECLARE
    name text;
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'tandem_service') THEN
        FOR name IN
            SELECT c.relname FROM pg_class c
            WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'v', 'p', 'S')
              AND (c.relname = 'prm_{kind}' OR c.relname LIKE 'prm\\_{kind}\\_%'
                   OR c.relname LIKE 'lab\\_{kind}\\_%')
        LOOP
            EXECUTE format('GRANT SELECT ON %I TO tandem_service', name);
            IF name LIKE 'prm%' AND name <> 'prm_{kind}_state' THEN
                EXECUTE format('GRANT INSERT, UPDATE ON %I TO tandem_service', name);
                IF name NOT IN ('prm_{kind}', 'prm_{kind}_event') THEN
                    EXECUTE format('GRANT DELETE ON %I TO tandem_service', name);
                END IF;
            END IF;
        END LOOP;
        REVOKE UPDATE ON prm_{kind}_event FROM tandem_service;
    END IF;
END $$;
"""


def schemas_of(aggregate: Aggregate[Any]) -> Mapping[str, Schema]:
    """Ours and its own, by the names that they are remembered by.

    Raises:
        ValueError: a file does not say whether it is additive.
    """
    ours = resources.files(__package__ or "").joinpath("migrations")
    own = resources.files(aggregate.package).joinpath("migrations")
    return {
        f"tandem/{aggregate.name}": _schema(ours, aggregate.name),
        aggregate.name: _schema(own, aggregate.name),
    }


def _schema(folder: Any, kind: str) -> Schema:
    files = [file for file in folder.iterdir() if file.name.endswith(".sql") and file.name[:3].isdigit()]
    return Schema.of(
        Migration.of(file.name, file.read_text("utf-8").replace("{kind}", kind)) for file in files
    )


def trigger_of(name: str, reaction: Reaction, events: Sequence[str]) -> str:
    """The SQL that makes the trigger of a reaction. All parts of it are words of a definition, or quoted."""
    trigger = f'CREATE OR REPLACE TRIGGER "tandem_{name}" AFTER INSERT ON prm_{reaction.kind}_event'
    if reaction.kind == USER:
        # Few of the events are followed: of users, nearly all are CREATED. Others cost nothing so.
        each = f"FOR EACH ROW WHEN (NEW.event_type::text IN ({', '.join(map(_quoted, events))}))"
        arguments = _quoted(name)
    else:
        each = "REFERENCING NEW TABLE AS written FOR EACH STATEMENT"
        arguments = f"{_quoted(name)}, {_quoted(','.join(events))}"
    return f"{trigger} {each} EXECUTE FUNCTION tandem_{reaction.kind}_react({arguments})"


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def migrations(aggregates: Sequence[Aggregate[Any]]) -> Callable[[Steps], Awaitable[list[str]]]:
    """What applies all that is missing of these, by the steps of `user_command.migrate`."""

    async def apply(steps: Steps) -> list[str]:
        if not aggregates:
            return []
        done = _by_aggregate(await steps.connection.fetch(QUERIES["applied"].sql))
        applied: list[str] = []
        for aggregate in aggregates:
            for name, schema in schemas_of(aggregate).items():
                applied += await _apply_missing(steps, name, schema, done.get(name, []))
            rights = Step(_GRANTS.replace("{kind}", aggregate.name))
            await steps.apply(f"The rights on {aggregate.plural}", rights)
            await _require_queries(steps.connection, aggregate)
        for aggregate in aggregates:
            applied += await _apply_reactions(steps, aggregate, aggregates, done)
        return applied

    return apply


async def _require_queries(connection: asyncpg.Connection, aggregate: Aggregate[Any]) -> None:
    """Have PostgreSQL look at the view and the queries of an aggregate, which it would refuse later.

    Raises:
        UnsuitableServer: says what PostgreSQL refuses, and why.
    """
    view = f"prm_{aggregate.name}_state"
    queries = {f"The view {view}": f"TABLE {view}"}
    queries |= {
        f"The query `{name}` of {aggregate.name}.sql": query.sql
        for name, query in own_queries(aggregate).items()
    }
    for what, sql in queries.items():
        try:
            await connection.prepare(sql)
        except asyncpg.PostgresError as error:
            msg = f"{what} cannot be used: {first_line(error)}. It belongs to {aggregate.package}."
            raise UnsuitableServer(msg) from error


async def _apply_reactions(
    steps: Steps, aggregate: Aggregate[Any], aggregates: Sequence[Aggregate[Any]], done: Done
) -> list[str]:
    """Make the triggers of its reactions that are missing or have changed, and remove those that were."""
    applied = []
    wanted = reactions_of([aggregate])
    for name, reaction in wanted.items():
        events = followed(aggregates, reaction)
        trigger = Migration(0, ",".join(events), trigger_of(name, reaction, events), additive=True)
        if {row.checksum for row in done.get(name, [])} != {trigger.checksum}:
            await steps.apply_migration(f"The reaction {name}", trigger, _REMEMBER, _row(name, trigger))
            applied.append(f"reaction {name}")
    for name in done:
        if name.startswith(f"{aggregate.name}/") and name not in wanted:
            sql = _DROP.replace("{name}", _quoted(f"tandem_{name}"))
            await steps.apply(f"The end of the reaction {name}", Step(sql), _FORGET, (name,))
            applied.append(f"no more reaction {name}")
    return applied


async def _apply_missing(steps: Steps, name: str, schema: Schema, done: Sequence[Applied]) -> list[str]:
    require_known_or_additive(done, schema)
    missing = [one for number, one in schema.migrations.items() if number not in {row.number for row in done}]
    for one in missing:
        await steps.apply_migration(f"{name}: {one.name}", one, _REMEMBER, _row(name, one))
    return [f"{name}: {one.name}" for one in missing]


async def require_migrated(database: Database, aggregates: Sequence[Aggregate[Any]]) -> None:
    """Refuse a database that lacks something of these aggregates, or has what stands in their way.

    Raises:
        UnsuitableServer: says what it is and what to do.
        Unavailable: PostgreSQL does not answer.
    """
    if not aggregates:
        return
    try:
        done = _by_aggregate(await database.fetch(QUERIES["applied"]))
    except Unavailable as error:
        if not isinstance(error.__cause__, asyncpg.UndefinedTableError | asyncpg.InsufficientPrivilegeError):
            raise
        done = {}
    for aggregate in aggregates:
        for name, schema in schemas_of(aggregate).items():
            rows = done.get(name, [])
            require_known_or_additive(rows, schema)
            if missing := schema.migrations.keys() - {row.number for row in rows}:
                raise _lacks(f"{name}: {schema.migrations[min(missing)].name}")
        for name, reaction in reactions_of([aggregate]).items():
            # A later program may follow more events: that does no harm.
            there = {event for row in done.get(name, []) for event in row.name.split(",")}
            if not set(followed(aggregates, reaction)) <= there:
                raise _lacks(f"the reaction {name} as this program has it")


def _lacks(what: str) -> UnsuitableServer:
    return UnsuitableServer(f"The database lacks {what}. Run `tandem migrate` as its owner.")


def _by_aggregate(rows: Iterable[asyncpg.Record]) -> dict[str, list[Applied]]:
    found: dict[str, list[Applied]] = {}
    for row in rows:
        applied = Applied(row["number"], row["name"], row["additive"], row["checksum"])
        found.setdefault(row["aggregate"], []).append(applied)
    return found


def _row(name: str, migration: Migration) -> Sequence[object]:
    """What is remembered of it."""
    return name, migration.number, migration.name, migration.additive, migration.checksum
