"""The schemas of aggregates: the tables that every kind has, its own, and the triggers of its reactions.

Each kind has two series of numbered files: ours, which are the same for every kind, and those in the folder
`migrations` of its package. Both are applied like those of users, and remembered beside them.
"""

import hashlib
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from importlib import resources
from typing import Any

import asyncpg

from tandem.aggregates.definition import USER, Aggregate
from tandem.aggregates.reactions import followed, reactions_of
from tandem.kernel import Unavailable, UnsuitableServer
from tandem.postgres.database import Database
from tandem.postgres.queries import load_queries
from tandem.user_command.migrate import Steps
from tandem.user_command.schema import Applied, Migration, Schema, require_known_or_additive

QUERIES = load_queries(__package__ or "", "aggregates.sql")
# What the triggers of an aggregate's reactions are remembered as.
TRIGGERS = 0
_REMEMBER = (
    "INSERT INTO tandem_aggregate_migration (aggregate, number, name, additive, checksum) "
    "VALUES ($1, $2, $3, $4, $5) ON CONFLICT (aggregate, number) DO UPDATE SET checksum = excluded.checksum"
)

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
                IF name NOT IN ('prm_{kind}', 'prm_{kind}_event', 'prm_{kind}_key') THEN
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


def triggers_of(aggregate: Aggregate[Any], aggregates: Sequence[Aggregate[Any]]) -> str:
    """The SQL that makes a trigger for each of its reactions, and removes those of reactions that were.

    All parts of it are words that a definition allows, or quoted.
    """
    statements = [_DROP.format(kind=aggregate.name)]
    for name, reaction in reactions_of([aggregate]).items():
        events = followed(aggregates, reaction)
        trigger = f'CREATE TRIGGER "tandem_{name}" AFTER INSERT ON prm_{reaction.kind}_event'
        if reaction.kind == USER:
            # Few of the events are followed: of users, nearly all are CREATED. Others cost nothing so.
            which = ", ".join(map(_quoted, events))
            each = f"FOR EACH ROW WHEN (NEW.event_type::text IN ({which}))"
            arguments = _quoted(name)
        else:
            each = "REFERENCING NEW TABLE AS written FOR EACH STATEMENT"
            arguments = f"{_quoted(name)}, {_quoted(','.join(events))}"
        function = f"tandem_{reaction.kind}_react({arguments})"
        statements.append(f"{trigger} {each} EXECUTE FUNCTION {function};")
    return "\n".join(statements)


_DROP = """
DO $$
DECLARE
    found record;
BEGIN
    FOR found IN
        SELECT tgname, tgrelid::regclass AS log FROM pg_trigger WHERE tgname LIKE 'tandem\\_{kind}/%'
    LOOP
        EXECUTE format('DROP TRIGGER %I ON %s', found.tgname, found.log);
    END LOOP;
END $$;
"""


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
            await steps.apply(f"The rights on {aggregate.plural}", _GRANTS.replace("{kind}", aggregate.name))
        for aggregate in aggregates:
            known = {row.checksum for row in done.get(aggregate.name, []) if row.number == TRIGGERS}
            sql = triggers_of(aggregate, aggregates)
            if known != {_checksum(sql)}:
                row = (aggregate.name, TRIGGERS, "reactions", True, _checksum(sql))
                await steps.apply(f"The reactions of {aggregate.plural}", sql, _REMEMBER, row)
                applied.append(f"{aggregate.name}: reactions")
        return applied

    return apply


async def _apply_missing(steps: Steps, name: str, schema: Schema, done: Sequence[Applied]) -> list[str]:
    done = [row for row in done if row.number != TRIGGERS]
    require_known_or_additive(done, schema)
    missing = [one for number, one in schema.migrations.items() if number not in {row.number for row in done}]
    for one in missing:
        row = (name, one.number, one.name, one.additive, one.checksum)
        await steps.apply(f"{name}: {one.name}", one.sql, _REMEMBER, row)
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
            rows = [row for row in done.get(name, []) if row.number != TRIGGERS]
            require_known_or_additive(rows, schema)
            if missing := schema.migrations.keys() - {row.number for row in rows}:
                raise _lacks(f"{name}: {schema.migrations[min(missing)].name}")
        known = {row.checksum for row in done.get(aggregate.name, []) if row.number == TRIGGERS}
        if known != {_checksum(triggers_of(aggregate, aggregates))}:
            raise _lacks(f"the reactions of {aggregate.plural} as this program has them")


def _lacks(what: str) -> UnsuitableServer:
    return UnsuitableServer(f"The database lacks {what}. Run `tandem migrate` as its owner.")


def _by_aggregate(rows: Iterable[asyncpg.Record]) -> dict[str, list[Applied]]:
    found: dict[str, list[Applied]] = {}
    for row in rows:
        applied = Applied(row["number"], row["name"], row["additive"], row["checksum"])
        found.setdefault(row["aggregate"], []).append(applied)
    return found


def _checksum(sql: str) -> str:
    return hashlib.sha256(sql.encode()).hexdigest()
