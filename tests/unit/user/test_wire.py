"""Every form that a field has had in randomuser.me 1.0 to 1.4, and what it becomes."""

import json

import msgspec
import pytest

from places import RANDOM_USER_ANSWERS
from tandem.user import InvalidField, Profile, UserInput, normalize

decode = msgspec.json.Decoder(UserInput).decode


def normal(**fields: object) -> dict[str, object]:
    """The normal form of a user with these fields, as plain JSON types."""
    return msgspec.to_builtins(normalize(decode(json.dumps({"email": "a@b"} | fields))))


def test_a_bare_email_is_a_user():
    assert normal() == {"email": "a@b"}


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("8929 valwood pkwy", {"number": None, "name": "8929 valwood pkwy"}),
        ({"number": 8929, "name": "Valwood Pkwy"}, {"number": 8929, "name": "Valwood Pkwy"}),
        ({"name": "Valwood Pkwy"}, {"number": None, "name": "Valwood Pkwy"}),
    ],
)
def test_a_street_has_number_and_name(sent, kept):
    assert normal(location={"street": sent}) == {"email": "a@b", "location": {"street": kept}}


@pytest.mark.parametrize(("sent", "kept"), [(63104, "63104"), ("EX4 8JS", "EX4 8JS"), (-1, "-1"), ("", "")])
def test_a_postcode_is_text(sent, kept):
    assert normal(location={"postcode": sent})["location"] == {"postcode": kept}


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        (747838416, {"date": "1993-09-12T12:53:36.000Z"}),
        (-123456789, {"date": "1966-02-02T02:26:51.000Z"}),
        ("1983-07-14 07:29:45", {"date": "1983-07-14T07:29:45.000Z"}),
        ({"date": "1993-07-20T09:44:18Z", "age": 26}, {"date": "1993-07-20T09:44:18.000Z", "age": 26}),
        ({"date": "1993-07-20T09:44:18.674Z", "age": 26}, {"date": "1993-07-20T09:44:18.674Z", "age": 26}),
        ({"date": "1993-07-20T11:44:18.674+02:00"}, {"date": "1993-07-20T09:44:18.674Z"}),
        ({"date": "1993-07-20T09:44:18.674321Z"}, {"date": "1993-07-20T09:44:18.674321Z"}),
        ({"age": 26}, {"age": 26}),
    ],
)
@pytest.mark.parametrize("field", ["dob", "registered"])
def test_a_date_is_iso_8601_in_utc(field, sent, kept):
    assert normal(**{field: sent})[field] == kept


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"dob": "yesterday"}, "#/dob"),
        ({"dob": 10**15}, "#/dob"),
        ({"registered": {"date": "1993-02-30T09:44:18Z"}}, "#/registered/date"),
        ({"registered": {"date": "0001-01-01T00:00:00+23:00"}}, "#/registered/date"),
    ],
)
def test_what_is_no_date_is_named(fields, pointer):
    with pytest.raises(InvalidField) as raised:
        normal(**fields)
    assert raised.value.pointer == pointer


def test_passwords_salts_and_hashes_are_not_kept():
    login = {
        "uuid": "u",
        "username": "n",
        "password": "p",
        "salt": "s",
        "md5": "m",
        "sha1": "1",
        "sha256": "2",
    }
    assert normal(login=login)["login"] == {"uuid": "u", "username": "n"}


def test_an_identity_keeps_its_null_value():
    assert normal(id={"name": "", "value": None})["id"] == {"name": "", "value": None}


def test_text_is_kept_to_the_code_point():
    name = {"title": "آقای", "first": "می\u200cخواهم", "last": "\ufeffÅse\u0301"}
    assert normal(name=name)["name"] == name


def test_unknown_fields_are_ignored():
    assert normal(nickname="x", location={"planet": "Mars"}) == {"email": "a@b"}


def test_an_object_without_any_value_is_absent():
    """Rows could not tell the two apart, and both databases hold the same."""
    empty = {
        "name": {"first": None},
        "location": {"street": {}, "coordinates": {}, "timezone": {"offset": None}},
        "login": {"salt": "s"},
        "dob": {"age": None},
        "registered": {},
        "id": {"name": None, "value": None},
        "picture": {},
    }
    assert normal(**empty) == {"email": "a@b"}


@pytest.mark.parametrize(
    "email", ["", "a", "@", "a@", "@b", "a@b@c", "a b@c", "a@b\n", "a\tb@c", "a@b\x7f", "x" * 319 + "@y"]
)
def test_what_is_no_email_is_refused(email):
    with pytest.raises(msgspec.ValidationError, match=r"\$\.email"):
        normal(email=email)


@pytest.mark.parametrize("email", ["a@b", "x" * 318 + "@y", "جین@example.com", "a\u200cb@c", "A+b.c@D"])
def test_an_email_is_taken_as_it_is(email):
    assert normal(email=email)["email"] == email


@pytest.mark.parametrize("path", RANDOM_USER_ANSWERS, ids=lambda path: path.stem)
def test_real_answers_keep_everything_but_the_secrets(path):
    for sent in json.loads(path.read_text("utf-8"))["results"]:
        expected = sent | {"login": {key: sent["login"][key] for key in ("uuid", "username")}}
        expected["location"] = sent["location"] | {"postcode": str(sent["location"]["postcode"])}
        assert normal(**sent) == expected


def test_the_state_in_an_event_gives_the_same_profile_again():
    profile = normalize(decode(json.dumps({"email": "a@b", "dob": {"age": 3}, "location": {"street": "x"}})))
    assert msgspec.json.decode(msgspec.json.encode(profile), type=Profile) == profile
