"""Which fields of a user a reader wants, what MongoDB is asked for, and what is left of a document."""

import msgspec
import pytest

from tandem.http.problems import ProblemError
from tandem.user_query.fields import encode, fields_named, projection_of

READ_ALWAYS = {"_id": True, "version": True, "deletedAt": True}
JANE = {
    "_id": 7,
    "currentStatus": "SYNCRONIZED",
    "version": 1,
    "email": "jane@example.com",
    "name": {"title": "Ms", "first": "Jane"},
    "location": {"city": "Bonn", "timezone": {"offset": "+1:00"}},
    "id": {"name": "PPS", "value": None},
}


@pytest.mark.parametrize(
    ("names", "shown"),
    [
        ("email", {"email": "jane@example.com"}),
        ("name.first,email", {"email": "jane@example.com", "name": {"first": "Jane"}}),
        ("name.first,name", {"name": JANE["name"]}),
        ("name,name.first,name", {"name": JANE["name"]}),
        ("location.timezone.offset", {"location": {"timezone": {"offset": "+1:00"}}}),
        ("location.timezone,location.city", {"location": JANE["location"]}),
        ("id.value", {"id": {"value": None}}),
        ("currentStatus,_id,version", {"currentStatus": "SYNCRONIZED"}),
        ("location.state,phone", {}),
    ],
)
def test_a_reader_gets_what_it_names_in_the_documents_order(names, shown):
    found = msgspec.json.decode(encode(JANE, fields_named(names)))
    assert found == {"_id": 7, "version": 1} | shown
    assert list(found) == [name for name in JANE if name in found]


@pytest.mark.parametrize("odd", ["text", 5, None, [{"first": "Jane"}]])
def test_what_is_no_object_has_no_parts(odd):
    found = encode({"_id": 7, "version": 1, "name": odd}, fields_named("name.first"))
    assert found == b'{"_id":7,"version":1}'


@pytest.mark.parametrize(
    ("names", "unknown"),
    [
        ("nam", "nam"),
        ("email,name.firs", "name.firs"),
        ("email.first", "email.first"),
        ("", ""),
        ("email,", ""),
        ("name.", "name."),
        (".name", ".name"),
        ("deletedAt", "deletedAt"),
        ("$where", "$where"),
        ("Email", "Email"),
    ],
)
def test_a_name_that_no_field_has_is_named(names, unknown):
    with pytest.raises(ProblemError) as raised:
        fields_named(names)
    (place,) = raised.value.errors
    assert (raised.value.status, place.parameter) == (400, "fields")
    assert repr(unknown) in place.detail


def test_mongodb_is_asked_for_what_all_readers_want_together():
    first, city, name = map(fields_named, ("name.first", "location.city,name.last", "name"))
    assert projection_of([first, city]) == READ_ALWAYS | {
        "name": {"first": True, "last": True},
        "location": {"city": True},
    }
    for wanted in ([first, name], [name, first]):
        assert projection_of(wanted, "email") == READ_ALWAYS | {"name": True, "email": True}
    assert projection_of([first, None]) is None
    # What others asked for together has changed nothing of what one wants.
    assert projection_of([first]) == READ_ALWAYS | {"name": {"first": True}}
