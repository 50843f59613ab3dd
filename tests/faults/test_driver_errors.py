"""Every error that a driver can raise is known: the surroundings' fault, an item's own, or a bug of ours."""

import inspect

import asyncpg
import bson.errors
import pymongo.errors
import pytest

from systems import commands, create
from tandem.user_command.database import ITEMS_FAULT, TRANSIENT
from tandem.user_query.database import UNSENDABLE

# By the class of SQLSTATE, its first two characters.
AN_ITEMS_FAULT = {
    "22",  # a value that its type cannot have
    "23",  # a constraint
    "44",  # a view's check
    "54",  # too large for an index, and the like
}
BUGS = {
    "01", "02", "03",  # warnings, which are not raised
    "09", "27", "38", "39", "F0", "HV", "P0",  # triggers, foreign data, procedures: we have none
    "0A", "42",  # statements that the server does not understand, or that this role may not use
    "0B", "25", "2D", "3B",  # transactions begun or ended at the wrong place
    "0F", "0L", "0P", "0Z", "10", "20", "21", "24", "26", "2B", "2F", "34",  # features that we do not use
    "72",  # gone since PostgreSQL 17
    "3D", "3F",  # a database or a schema that is not there
    "55",  # objects in a wrong state
    "XX",  # the server's own bugs, and damaged data: nothing that waiting heals
}  # fmt: skip
# Their classes say bug, but what happened is that the server ended the session, or needs another try.
TRANSIENT_ALL_THE_SAME = ["25006", "25P03", "25P04", "55P03"]


def errors_of(module) -> list[type[Exception]]:
    own = [value for value in vars(module).values() if inspect.isclass(value)]
    return [
        value
        for value in own
        if issubclass(value, Exception) and value.__module__.startswith(module.__name__)
    ]


def sqlstate_of(error: type[Exception]) -> str:
    return getattr(error, "sqlstate", None) or ""


POSTGRES_ERRORS = [error for error in errors_of(asyncpg.exceptions) if sqlstate_of(error)]


@pytest.mark.parametrize("error", POSTGRES_ERRORS, ids=lambda error: error.__name__)
def test_every_error_of_postgresql_is_of_one_known_kind(error):
    family = sqlstate_of(error)[:2]
    is_transient = issubclass(error, TRANSIENT) and not issubclass(error, ITEMS_FAULT)
    known = family in AN_ITEMS_FAULT | BUGS and sqlstate_of(error) not in TRANSIENT_ALL_THE_SAME
    assert is_transient != known, f"{sqlstate_of(error)} {error.__name__}: transient is {is_transient}"


def test_asyncpg_s_own_errors_are_transient_or_the_roots_of_others():
    own = {error for error in errors_of(asyncpg.exceptions) if not sqlstate_of(error)}
    unknown = {error.__name__ for error in own if not issubclass(error, (*TRANSIENT, Warning))}
    assert unknown == {"PostgresError", "FatalPostgresError", "UnknownPostgresError"}


@pytest.mark.parametrize(
    "error", errors_of(pymongo.errors) + errors_of(bson.errors), ids=lambda error: error.__name__
)
def test_every_error_of_pymongo_is_transient_or_one_document_s_own(error):
    assert issubclass(error, (pymongo.errors.PyMongoError, *UNSENDABLE, Warning))


@pytest.mark.parametrize("sqlstate", ["40P01", "40001"], ids=["deadlock", "serialization failure"])
async def test_what_lost_against_another_transaction_is_tried_again_before_anybody_hears_of_it(
    system, instance, sqlstate
):
    """A trigger lets the first two tries fail; a sequence counts them, since no rollback undoes it."""
    await system.postgres.execute(f"""
        create sequence tries;
        grant usage on sequence tries to public;
        create function lose() returns trigger language plpgsql as $$
        begin
            if nextval('tries') < 3 then raise exception 'lost' using errcode = '{sqlstate}'; end if;
            return new;
        end $$;
        create trigger lose before insert on prm_user for each statement execute function lose();
    """)
    users = await create(instance, commands(10))
    assert len({user.id for user in users}) == 10
    await system.until_synchronized(10)
    assert await system.count("select last_value from tries") == 3
