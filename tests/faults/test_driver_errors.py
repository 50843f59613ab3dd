"""Every error that a driver can raise is known: the surroundings' fault, an item's own, or a bug of ours."""

import asyncio
import inspect

import asyncpg
import bson.errors
import pymongo.errors
import pytest
from obstacles import failing_mongodb
from pymongo import helpers_shared

from systems import commands, create, until
from tandem.kernel import Unavailable
from tandem.user_command.database import ITEMS_FAULT, TRANSIENT
from tandem.user_query.database import UNSENDABLE
from tandem.user_query.refusals import REFUSED_FOR_GOOD, is_documents_own_fault, sort_errors

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


# What MongoDB's own list of errors (error_codes.yml of version 8.2) has at 10,000 and above.
STATES_FROM_10_000 = {
    10058, 10107, 11600, 11601, 11602, 12586, 12587, 13104, 13297, 13388, 13435, 13436, 14031, 28769, 31082,
    46841, 50768, 50915, 56846, 57986, 91331, 640570, 640571, 1003141, 10045600,
}  # fmt: skip
ABOUT_ONE_DOCUMENT = {10003, 10334, 11000, 17280}
# What drivers heed: no primary, a shutdown, the network, a password that is being changed.
KNOWN_TO_THE_DRIVER = {
    *helpers_shared._RETRYABLE_ERROR_CODES,
    *helpers_shared._NOT_PRIMARY_CODES,
    *helpers_shared._SHUTDOWN_CODES,
    helpers_shared._AUTHENTICATION_FAILURE_CODE,
    helpers_shared._REAUTHENTICATION_REQUIRED_CODE,
}


def write_errors(*codes: int, **more) -> dict:
    errors = [
        {"index": n, "code": code, "errmsg": "quoted", "op": {"_id": n}, **more}
        for n, code in enumerate(codes)
    ]
    return {"writeErrors": errors, "writeConcernErrors": [], "nMatched": 0}


@pytest.mark.parametrize("code", sorted(STATES_FROM_10_000 | KNOWN_TO_THE_DRIVER))
def test_a_state_of_mongodb_is_no_document_s_fault(code):
    assert not is_documents_own_fault(code)
    with pytest.raises(Unavailable, match=str(code)):
        sort_errors(write_errors(121, code))


def test_below_10_000_only_what_is_named_is_a_document_s_fault():
    assert {code for code in range(10_000) if is_documents_own_fault(code)} < set(REFUSED_FOR_GOOD)


@pytest.mark.parametrize(
    "code", sorted({*REFUSED_FOR_GOOD, *ABOUT_ONE_DOCUMENT, 13026, 16755, 31034, 5_000_000})
)
def test_what_is_about_one_document_sets_that_one_aside_and_is_not_quoted(code):
    outcome = sort_errors(write_errors(code, keyPattern={"email": 1}))
    assert outcome.existing == set()
    assert str(code) in outcome.refused[0]
    assert "quoted" not in outcome.refused[0]


@pytest.mark.parametrize(
    "error",
    [
        {"keyPattern": {"_id": 1}},
        {"errmsg": "E11000 duplicate key error collection: tandem.users index: _id_ dup key: { _id: 1 }"},
    ],
    ids=["by its key", "by its index's name"],
)
def test_only_an_id_that_is_there_already_is_a_replay(error):
    assert sort_errors(write_errors(11000, **error)).existing == {0}
    other = {
        "keyPattern": {"_id": 1, "email": 1},
        "errmsg": "E11000 duplicate key error index: _id_1_email_1 dup",
    }
    assert sort_errors(write_errors(11000, **other)).existing == set()


def test_a_missing_write_concern_is_no_acknowledgement_whatever_else_went_wrong():
    details = write_errors(11000, keyPattern={"_id": 1}) | {"writeConcernErrors": [{"code": 64}]}
    with pytest.raises(Unavailable, match="64"):
        sort_errors(details)


READS = ["/1", "/email?email=a@b", "", "?limit=1000", "/search?seed=x", "/search?email=a@b"]
# A state of each kind, as the answer to a read: no rights, no collection, killed, too slow, no memory,
# overloaded, no disk, a code that nobody knows; then those that the driver tries again until its deadline.
STATES_MET_BY_READS = [8, 13, 26, 43, 50, 112, 175, 202, 206, 237, 279, 292, 365, 371, 402, 433, 11601, 13388]
STATES_MET_BY_READS += [14031, 9_999_999, 6, 91, 10107]


async def test_no_state_of_mongodb_reaches_a_reader_as_anything_but_503(servers, serve):
    client = (await serve("reader", DATABASE_TIMEOUT_SECONDS="1")).client
    for code in STATES_MET_BY_READS:
        how = {"failCommands": ["find", "aggregate", "getMore"], "errorCode": code}
        async with failing_mongodb(servers, "reader", **how):
            answers = await asyncio.gather(*(client.get(f"/api/v1/user-query{path}") for path in READS))
        for answer in answers:
            assert answer.status_code == 503, (code, answer.url, answer.text)
            assert int(answer.headers["Retry-After"]) > 0
    for path in READS[2:]:

        async def is_well(path: str = path) -> bool:
            return (await client.get(f"/api/v1/user-query{path}")).status_code == 200

        await until(is_well, f"{path} is answered again")


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
