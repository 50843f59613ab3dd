"""The collection of users in MongoDB."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from pymongo import IndexModel

from tandem.mongodb import client as mongodb
from tandem.mongodb.client import Client, Collection, collection_of
from tandem.mongodb.indexes import BY_SEED, Index
from tandem.user_query.indexes import BY_EMAIL, INDEXES

COLLECTION = "users"
#: The indexes without which reads cannot be answered.
PROBED: list[Index] = [BY_EMAIL, BY_SEED]


def users_of(client: Client) -> Collection:
    """The collection of users, in the database that the URL names (`tandem` where it names none)."""
    return collection_of(client, COLLECTION)


async def create_indexes(
    client: Client, url: str, more: Mapping[str, Sequence[IndexModel]] = MappingProxyType({})
) -> None:
    """Create the collection and its indexes, and `more`, by collection; what is there already stays.

    Raises:
        UnsuitableServer: the server cannot be used, or refuses.
    """
    await mongodb.create_indexes(client, url, {COLLECTION: INDEXES, **more})
