"""MongoDB as the query side uses it: acknowledged by majority and journal, and errors of one kind."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import bson.errors
import pymongo
from bson.codec_options import CodecOptions, DatetimeConversion
from pymongo import AsyncMongoClient, WriteConcern
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.errors import (
    BulkWriteError,
    ConfigurationError,
    ConnectionFailure,
    DocumentTooLarge,
    NotPrimaryError,
    OperationFailure,
    PyMongoError,
)

from tandem.config.addresses import unusable_at
from tandem.kernel import Unavailable, UnsuitableServer
from tandem.user.ids import HIGHEST_ID
from tandem.user_query.document import Document
from tandem.user_query.indexes import (
    BY_EMAIL,
    BY_SEED,
    INDEXES,
    MissingIndex,
    has_collection,
    probe_of,
    says_index_is_missing,
)
from tandem.user_query.refusals import codes_of

OLDEST_VERSION = 5
AUTHENTICATION_FAILED = 18
DEFAULT_DATABASE = "tandem"
COLLECTION = "users"
# A server that has not answered by then when an instance starts is taken to be away.
FIRST_ANSWER_SECONDS = 3
PING_SECONDS = 0.5
MAJORITY = WriteConcern(w="majority", j=True)

# One document's own fault, found by the driver before anything is sent.
UNSENDABLE = (DocumentTooLarge, bson.errors.BSONError, OverflowError)

# Who reads what others have written by hand gets what can be read of it, and no error: text that is no UTF-8,
# moments that no Python date can hold.
LENIENT: CodecOptions[Document] = CodecOptions(
    unicode_decode_error_handler="replace", datetime_conversion=DatetimeConversion.DATETIME_AUTO
)

Client = AsyncMongoClient[Document]
Users = AsyncCollection[Document]
Filter = dict[str, Any]


def between(filter_: Filter, after: int, through: int | None = None) -> Filter:
    """Of what matches `filter_`, the users with ids above `after` and up to `through`, or of all above.

    With both bounds, a read skips what others have put in under ids that could be no user's.
    """
    return {**filter_, "_id": {"$gt": after, "$lte": HIGHEST_ID if through is None else through}}


def open_client(url: str, *, name: str, deadline: timedelta) -> Client:
    """A client whose every call has the deadline. It connects when it is first used.

    Raises:
        UnsuitableServer: the URL is none.
    """
    milliseconds = int(deadline.total_seconds() * 1000)
    try:
        return AsyncMongoClient(
            url,
            appname=f"tandem {name}",
            timeoutMS=milliseconds,
            serverSelectionTimeoutMS=min(milliseconds, 2_000),
            connectTimeoutMS=min(milliseconds, 2_000),
        )
    except (PyMongoError, ValueError) as error:
        raise UnsuitableServer(unreachable(url, error)) from error


def users_of(client: Client) -> Users:
    """The collection of users, in the database that the URL names (`tandem` where it names none)."""
    database = client.get_default_database(DEFAULT_DATABASE)
    return database.get_collection(COLLECTION, write_concern=MAJORITY, codec_options=LENIENT)


async def require_suitable(client: Client, url: str) -> None:
    """Refuse a server that cannot be reached, is too old, or could not repeat a write safely.

    Raises:
        UnsuitableServer: says which address was tried, or what is wrong with the server.
    """
    try:
        with pymongo.timeout(FIRST_ANSWER_SECONDS):
            hello = await client.admin.command("hello")
            build = await client.admin.command("buildInfo")
    except PyMongoError as error:
        raise UnsuitableServer(unreachable(url, error)) from error
    if int(build["version"].split(".")[0]) < OLDEST_VERSION:
        msg = f"MongoDB {build['version']} is too old: Tandem needs {OLDEST_VERSION} or newer."
        raise UnsuitableServer(msg)
    if hello.get("isreplicaset"):
        msg = "MongoDB belongs to a replica set that nobody has made yet: call rs.initiate() once."
        raise UnsuitableServer(msg) from NotPrimaryError(msg)
    if "setName" not in hello:
        msg = (
            "MongoDB is no replica set, so its acknowledgements are not safe. One node is enough: "
            "start mongod with --replSet NAME and call rs.initiate() once."
        )
        raise UnsuitableServer(msg)


def may_pass(error: UnsuitableServer) -> bool:
    """Whether MongoDB may be usable in a moment: it starts, it elects, or its accounts are being made."""
    cause = error.__cause__
    return isinstance(cause, ConnectionFailure) or (
        isinstance(cause, OperationFailure) and cause.code == AUTHENTICATION_FAILED
    )


async def create_indexes(client: Client, url: str) -> None:
    """Create the collection and its indexes; what is there already stays.

    Raises:
        UnsuitableServer: the server cannot be used, or refuses.
    """
    await require_suitable(client, url)
    try:
        await users_of(client).create_indexes(INDEXES)
    except PyMongoError as error:
        raise UnsuitableServer(unreachable(url, error)) from error


async def answers(client: Client) -> bool:
    """Whether MongoDB answers, and soon: half a second is all it gets."""
    try:
        with pymongo.timeout(PING_SECONDS):
            await client.admin.command("ping")
    except PyMongoError:
        return False
    return True


async def missing_indexes(client: Client) -> str:
    """What is missing of the collection and its indexes, as the beginning of a sentence; empty: nothing.

    Raises:
        Unavailable: MongoDB does not answer.
    """
    database = client.get_default_database(DEFAULT_DATABASE)
    missing = []
    for index in (BY_EMAIL, BY_SEED):
        try:
            with translated(), pymongo.timeout(FIRST_ANSWER_SECONDS):
                explained = await database.command(probe_of(COLLECTION, index))
        except MissingIndex:
            missing.append("{" + ", ".join(f"{field}: {way}" for field, way in index) + "}")
            continue
        if not has_collection(explained):
            return f"MongoDB has no collection `{COLLECTION}`"
    return f"MongoDB's collection `{COLLECTION}` lacks the index {' and '.join(missing)}" if missing else ""


@contextmanager
def translated() -> Iterator[None]:
    """Turn the driver's errors into `Unavailable`, but for those that one document causes.

    Raises:
        Unavailable: MongoDB does not answer, or is in a state in which it cannot do this.
        MissingIndex: it would have to look at every document.
    """
    try:
        yield
    except UNSENDABLE:
        raise
    except PyMongoError as error:
        if says_index_is_missing(error):
            raise MissingIndex from error
        msg = f"MongoDB does not answer ({described(error)})"
        raise Unavailable(msg) from error


def described(error: PyMongoError) -> str:
    """What may be logged. Of what the server has refused only codes: its words may quote a document."""
    name = type(error).__name__
    if isinstance(error, BulkWriteError):
        return f"{name}: codes {codes_of(error.details)}"
    return f"{name}: code {error.code}" if isinstance(error, OperationFailure) else f"{name}: {error}"


def unreachable(url: str, error: Exception) -> str:
    """A sentence that says which address was tried, without the password, and how to start a server."""
    unreadable = isinstance(error, ValueError | ConfigurationError)
    why = None if unreadable else str(error).partition(", Timeout:")[0]
    return unusable_at(url, "MongoDB", "MONGODB_URL", why)
