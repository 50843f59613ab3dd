"""MongoDB as every query side uses it: acknowledged by majority and journal, and errors of one kind."""

import ssl
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import bson.errors
import pymongo
from bson.codec_options import CodecOptions, DatetimeConversion
from pymongo import AsyncMongoClient, IndexModel, WriteConcern
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
from pymongo.uri_parser import parse_uri

from tandem.config.addresses import unusable_at
from tandem.ids import HIGHEST_ID
from tandem.kernel import Unavailable, UnsuitableServer
from tandem.mongodb.document import Document
from tandem.mongodb.indexes import Index, MissingIndex, has_collection, probe_of, says_index_is_missing
from tandem.mongodb.refusals import codes_of

OLDEST_VERSION = 5
AUTHENTICATION_FAILED = 18
DEFAULT_DATABASE = "tandem"
# A server that has not answered by then when an instance starts is taken to be away.
FIRST_ANSWER_SECONDS = 3
PING_SECONDS = 0.5
# Each member is to say so often how it is. One that has not for 2 s more is given up, and what waits for its
# answer is sent to the next primary. With the driver's own 10 s, a primary whose cable was cut held up reads
# for 10 s after the others had elected another.
HEARTBEAT_MS = 2_000
MAJORITY = WriteConcern(w="majority", j=True)

# One document's own fault, found by the driver before anything is sent.
UNSENDABLE = (DocumentTooLarge, bson.errors.BSONError, OverflowError)

# Who reads what others have written by hand gets what can be read of it, and no error: text that is no UTF-8,
# moments that no Python date can hold.
LENIENT: CodecOptions[Document] = CodecOptions(
    unicode_decode_error_handler="replace", datetime_conversion=DatetimeConversion.DATETIME_AUTO
)

Client = AsyncMongoClient[Document]
Collection = AsyncCollection[Document]
Filter = dict[str, Any]


def is_url(url: str) -> bool:
    """Whether the driver takes it. What `mongodb+srv` names is looked up only when it is used."""
    try:
        return url.startswith("mongodb+srv://") or bool(parse_uri(url))
    except (PyMongoError, ValueError, OSError):
        return False


def between(filter_: Filter, after: int, through: int | None = None) -> Filter:
    """Of what matches `filter_`, the documents with ids above `after` and up to `through`, or all above.

    With both bounds, a read skips what others have put in under ids that Tandem gives nobody.
    """
    return {**filter_, "_id": {"$gt": after, "$lte": HIGHEST_ID if through is None else through}}


def open_client(url: str, *, name: str, deadline: timedelta) -> Client:
    """A client whose every call has the deadline. It connects when it is first used.

    Raises:
        UnsuitableServer: the URL is none, or a file that it names for TLS cannot be used.
    """
    milliseconds = int(deadline.total_seconds() * 1000)
    try:
        return AsyncMongoClient(
            url,
            appname=f"tandem {name}",
            timeoutMS=milliseconds,
            serverSelectionTimeoutMS=min(milliseconds, 2_000),
            connectTimeoutMS=min(milliseconds, 2_000),
            heartbeatFrequencyMS=HEARTBEAT_MS,
        )
    except (PyMongoError, ValueError, OSError) as error:
        raise UnsuitableServer(unreachable(url, error)) from error


def collection_of(client: Client, name: str) -> Collection:
    """The collection of this name, in the database that the URL names (`tandem` where it names none)."""
    database = client.get_default_database(DEFAULT_DATABASE)
    return database.get_collection(name, write_concern=MAJORITY, codec_options=LENIENT)


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


async def create_indexes(client: Client, url: str, wanted: Mapping[str, Sequence[IndexModel]]) -> None:
    """Create the collections and their indexes, by the collections' names; what is there already stays.

    Raises:
        UnsuitableServer: the server cannot be used, or refuses.
    """
    await require_suitable(client, url)
    try:
        for name, indexes in wanted.items():
            await collection_of(client, name).create_indexes(indexes)
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


async def missing_indexes(client: Client, wanted: Mapping[str, Sequence[Index]]) -> str:
    """What is missing of these collections and indexes, as the beginning of a sentence; empty: nothing.

    Raises:
        Unavailable: MongoDB does not answer.
    """
    missing = [await _missing_of(client, name, indexes) for name, indexes in wanted.items()]
    return ", and ".join(what for what in missing if what)


async def _missing_of(client: Client, collection: str, indexes: Sequence[Index]) -> str:
    database = client.get_default_database(DEFAULT_DATABASE)
    missing = []
    for index in indexes:
        try:
            with translated(), pymongo.timeout(FIRST_ANSWER_SECONDS):
                explained = await database.command(probe_of(collection, index))
        except MissingIndex:
            missing.append("{" + ", ".join(f"{field}: {way}" for field, way in index) + "}")
            continue
        if not has_collection(explained):
            return f"MongoDB has no collection `{collection}`"
    return f"MongoDB's collection `{collection}` lacks the index {' and '.join(missing)}" if missing else ""


@contextmanager
def translated(things: str = "users") -> Iterator[None]:
    """Turn the driver's errors into `Unavailable`, but for those that one document causes.

    `things`: what the collection is of, for the message of `MissingIndex`.

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
            raise MissingIndex(things) from error
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
    # What OpenSSL says of a file with a certificate quotes nothing of the URL.
    of_tls = isinstance(error, OSError) or isinstance(error.__context__, ssl.SSLError)
    unreadable = isinstance(error, ValueError | ConfigurationError) and not of_tls
    why = None if unreadable else str(error).partition(", Timeout:")[0]
    return unusable_at(url, "MongoDB", "MONGODB_URL", why)
