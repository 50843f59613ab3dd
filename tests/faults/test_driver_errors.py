"""Every error that a driver can raise is known: a state of the server, or one item's own fault."""

import asyncio
import inspect
from contextlib import asynccontextmanager

import asyncpg
import bson.errors
import pymongo.errors
import pytest
from pymongo import helpers_shared

from obstacles import failing_mongodb, sessions_of
from systems import commands, create
from tandem.kernel import Unavailable
from tandem.mongodb.client import UNSENDABLE
from tandem.mongodb.refusals import REFUSED_FOR_GOOD, is_documents_own_fault, sort_errors
from tandem.postgres.faults import DRIVER_ERRORS, is_items_fault, session_stays, state_of
from waiting import until

# By the class of SQLSTATE, its first two characters. All others are states of the server (`faults.py`).
AN_ITEMS_FAULT = {
    "22",  # a value that its type cannot have
    "23",  # a constraint
    "44",  # a view's check
    "54",  # too large for an index, and the like
}
# In those classes, and yet of the whole server.
OF_THE_SERVER_ALL_THE_SAME = {"2200H"}  # the sequence has reached its end
# After these, a session is as good as before; after all others it is closed.
THE_SESSION_STAYS = AN_ITEMS_FAULT | {"40", "53"}
THE_SESSION_STAYS_TOO = {"55P03", "57014"}  # a lock that was not to be had; a statement that was stopped


def errors_of(module) -> list[type[Exception]]:
    own = [value for value in vars(module).values() if inspect.isclass(value)]
    return [
        value
        for value in own
        if issubclass(value, Exception) and value.__module__.startswith(module.__name__)
    ]


def sqlstate_of(error: type[Exception]) -> str:
    return getattr(error, "sqlstate", None) or ""


WARNINGS = {"01", "02"}  # which are not raised
POSTGRES_ERRORS = [
    error for error in errors_of(asyncpg.exceptions) if sqlstate_of(error)[:2] not in {"", *WARNINGS}
]


@pytest.mark.parametrize("error", POSTGRES_ERRORS, ids=lambda error: error.__name__)
def test_every_error_of_postgresql_is_an_items_fault_or_the_servers_state(error):
    family, sqlstate = sqlstate_of(error)[:2], sqlstate_of(error)
    of_an_item = family in AN_ITEMS_FAULT and sqlstate not in OF_THE_SERVER_ALL_THE_SAME
    assert issubclass(error, DRIVER_ERRORS)
    assert is_items_fault(error("")) == of_an_item
    assert session_stays(error("")) == (family in THE_SESSION_STAYS or sqlstate in THE_SESSION_STAYS_TOO)
    assert of_an_item or "PostgreSQL" in state_of(error("")) or sqlstate == "2200H"


def test_asyncpg_s_own_errors_are_never_an_items_fault_and_close_the_session():
    own = {error for error in errors_of(asyncpg.exceptions) if not sqlstate_of(error)}
    for error in own - {asyncpg.InterfaceWarning}:
        assert issubclass(error, DRIVER_ERRORS)
        assert not is_items_fault(error(""))
        assert not session_stays(error(""))


STATES = {
    "25006": ("read-only", True),
    "28P01": ("refuses this role", True),
    "3D000": ("lacks this database", True),
    "42501": ("lacks a right", True),
    "42703": ("lacks a column", True),
    "42P01": ("lacks a table", True),
    "53100": ("disk is full", False),
    "53300": ("no free connection", False),
    "55006": ("refuses", True),
    "57P01": ("starting or stopping", True),
    "0A000": ("refuses", True),
    "26000": ("refuses", True),
    "XX000": ("refuses", True),
}


@asynccontextmanager
async def refusing_users(system, sqlstate: str):
    """Meanwhile, PostgreSQL raises this for every statement that creates users."""
    await system.postgres.execute(f"""
        create function refuse() returns trigger language plpgsql as $$
        begin raise exception 'in another state' using errcode = '{sqlstate}'; end $$;
        create trigger refuse before insert on prm_user for each statement execute function refuse();
    """)
    try:
        yield
    finally:
        await system.postgres.execute("drop function refuse cascade")


@pytest.mark.parametrize("sqlstate", STATES)
async def test_a_state_of_the_server_is_a_503_to_all_and_no_fault_of_a_user_and_heals(
    shared_system, shared_client, sqlstate
):
    """A trigger raises it for every user until it is taken away, as the state of a server would."""
    system, client = shared_system, shared_client
    async with sessions_of(system) as sessions:
        async with refusing_users(system, sqlstate):
            answers = await asyncio.gather(
                *(client.post("/api/v1/user-command?seed=x", json={"email": f"{n}@x"}) for n in range(12))
            )
            assert {(one.status_code, one.headers["retry-after"]) for one in answers} == {(503, "2")}
            pids = await sessions.pids("instance-1")
            sentence, closes = STATES[sqlstate]
            ready = await client.get("/health/ready")
            assert ready.status_code == 503
            assert sentence in ready.json()["detail"]
        await until_status(client, 200)
        answer = await client.post("/api/v1/user-command?seed=x", json={"email": "after@example.com"})
        assert answer.status_code == 201
        assert closes or pids <= await sessions.pids("instance-1")


async def test_a_session_that_became_read_only_is_not_kept(system, serve):
    """As after a failover, or an operator's work: a session opened meanwhile would stay so for ever."""
    client = (await serve()).client
    database = system.urls.postgres_owner_url.rpartition("/")[2]
    await system.postgres.execute(f"alter database {database} set default_transaction_read_only = on")
    async with sessions_of(system) as sessions:
        await sessions.terminate("instance-1")

        async def is_read_only() -> bool:
            answer = await client.get("/health/ready")
            return answer.status_code == 503 and "read-only" in answer.json()["detail"]

        await until(is_read_only, "not ready, and why")
        answer = await client.post("/api/v1/user-command?seed=x", json={"email": "refused@example.com"})
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")
        # The owner's own session was opened before.
        await system.postgres.execute(f"alter database {database} reset default_transaction_read_only")
        await until_status(client, 200)
        answer = await client.post("/api/v1/user-command?seed=x", json={"email": "after@example.com"})
        assert answer.status_code == 201


async def test_a_table_that_was_changed_behind_our_back_costs_no_restart(system, serve):
    """Kept plans are out of date at once."""
    client = (await serve()).client
    body = {"email": "a@example.com"}
    await client.post("/api/v1/user-command?seed=x", json=body)
    for statement in (
        # No view shows this column: PostgreSQL changes no type under a view.
        "alter table prm_user alter column app_id type varchar(300)",
        "revoke insert on prm_user from tandem_service",
    ):
        await system.postgres.execute(statement)
        answer = await client.post("/api/v1/user-command?seed=x", json=body)
        assert answer.status_code in (201, 503), answer.text
    await until_status(client, 503)
    await system.postgres.execute("grant insert on prm_user to tandem_service")
    await until_status(client, 200)

    async def is_created() -> bool:
        """Each session learns by itself that its plans are out of date: one command may find out."""
        return (await client.post("/api/v1/user-command?seed=x", json=body)).status_code == 201

    await until(is_created, "a user is created")


async def until_status(client, status: int) -> None:
    async def is_so() -> bool:
        return (await client.get("/health/ready")).status_code == status

    await until(is_so, f"ready is {status}")


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
# overloaded, no disk, a code that nobody knows.
MET_BY_READS = [8, 13, 26, 43, 50, 112, 175, 202, 206, 237, 279, 292, 365, 371, 402, 433, 11601, 13388]
MET_BY_READS += [14031, 9_999_999]
# Those that the driver tries again until its deadline, 5 s for a search.
TRIED_AGAIN = [6, 91, 10107]


@pytest.mark.parametrize(
    "codes", [MET_BY_READS, pytest.param(TRIED_AGAIN, marks=pytest.mark.slow)], ids=["at once", "tried again"]
)
async def test_no_state_of_mongodb_reaches_a_reader_as_anything_but_503(servers, serve, codes):
    client = (await serve("reader", DATABASE_TIMEOUT_SECONDS="1")).client
    for code in codes:
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
