"""The document of a user, and documents as JSON."""

import json

import pytest
from bson import Decimal128, Int64, ObjectId

from tandem.mongodb.document import encode_document, id_of, is_tombstone
from tandem.user import Profile, StoredUser
from tandem.user.profile import Name
from tandem.user_query.document import document_of


def test_a_document_is_who_the_user_is_and_then_its_profile():
    user = StoredUser(7, "run", "creator", 3, None, Profile("a@b", name=Name(first="Ada")))
    assert document_of(user) == {
        "_id": 7,
        "seed": "run",
        "appId": "creator",
        "currentStatus": "SYNCRONIZED",
        "version": 3,
        "email": "a@b",
        "name": {"first": "Ada"},
    }


def test_of_a_deleted_user_nothing_is_left_but_that_it_was_there():
    tombstone = document_of(StoredUser(7, "run", "creator", 4, None, None))
    assert set(tombstone) == {"_id", "seed", "appId", "currentStatus", "version", "deletedAt"}
    assert (tombstone["version"], tombstone["currentStatus"]) == (4, "DELETED")
    assert is_tombstone(tombstone)
    assert not is_tombstone(document_of(StoredUser(7, "run", "creator", 3, None, Profile("a@b"))))


@pytest.mark.parametrize("value", [7, Int64(7), 7.0, Decimal128("7")])
def test_an_id_is_an_integer_whatever_type_it_is_stored_as(value):
    assert id_of({"_id": value}) == 7


def test_types_that_json_lacks_are_shown_and_spoil_nothing():
    strange = ObjectId()
    shown = json.loads(encode_document({"_id": Int64(2**40), "other": strange}))
    assert shown == {"_id": 2**40, "other": str(strange)}
