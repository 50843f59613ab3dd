"""Random users: as randomuser.me makes them, and the same ones each time."""

import json
import re
import unicodedata
from collections import Counter
from itertools import islice

import msgspec
import pytest

from tandem.random_users import random_user, random_users
from tandem.random_users.nationalities import NATIONALITIES
from tandem.random_users.seeded import SeededRandom
from tandem.user.wire import UserInput, normalize

USERS = list(random_users("a seed", 0, 5_000))
ENCODED = [json.loads(msgspec.json.encode(user)) for user in USERS]

# What an answer of version 1.4 holds, without the password and what is made of it.
FIELDS = {
    "gender": str,
    "name": {"title": str, "first": str, "last": str},
    "location": {
        "street": {"number": int, "name": str},
        "city": str,
        "state": str,
        "country": str,
        "postcode": int | str,
        "coordinates": {"latitude": str, "longitude": str},
        "timezone": {"offset": str, "description": str},
    },
    "email": str,
    "login": {"uuid": str, "username": str},
    "dob": {"date": str, "age": int},
    "registered": {"date": str, "age": int},
    "phone": str,
    "cell": str,
    "id": {"name": str, "value": str | None},
    "picture": {"large": str, "medium": str, "thumbnail": str},
    "nat": str,
}


def has_form(value, form) -> bool:
    """Whether `value` has exactly the fields of `form`, each of its type."""
    if isinstance(form, dict):
        return value.keys() == form.keys() and all(has_form(value[name], form[name]) for name in form)
    return isinstance(value, form)


def test_each_user_has_every_field_of_version_1_4_and_no_password():
    assert all(has_form(user, FIELDS) for user in ENCODED)


def test_the_same_seed_and_number_give_the_same_user():
    assert random_user("a seed", 4_321) == USERS[4_321]
    assert list(random_users("a seed", 1_000, 7)) == USERS[1_000:1_007]
    assert random_user("another seed", 4_321) != USERS[4_321]


def test_a_user_never_changes_from_one_release_to_the_next():
    user = random_user("tandem", 0)
    assert (user.email, user.login.uuid, user.dob.date) == (
        "євгенія.ґалаґан.1@example.com",
        "eb81f3fa-6710-4903-871a-1ec8cec20529",
        "1959-08-24T04:08:55.363Z",
    )


def test_no_two_users_of_a_seed_are_the_same_or_share_an_email_or_a_login():
    assert len({user.email for user in USERS}) == len(USERS)
    assert len({user.login.uuid for user in USERS}) == len(USERS)


def test_all_nationalities_and_both_genders_come_up():
    assert {user.nat for user in USERS} == {code for code, _ in NATIONALITIES}
    assert len(NATIONALITIES) == 21
    assert Counter(user.gender for user in USERS).keys() == {"male", "female"}


@pytest.mark.parametrize(
    ("nationality", "script"),
    [("IR", "ARABIC"), ("UA", "CYRILLIC"), ("RS", "CYRILLIC"), ("IN", "DEVANAGARI")],
)
def test_names_are_in_the_script_of_the_country(nationality, script):
    names = [user.name.last for user in USERS if user.nat == nationality]
    assert names
    assert all(unicodedata.name(name[0]).startswith(script) for name in names)


def test_some_persian_names_have_a_zero_width_non_joiner():
    assert any("\u200c" in user.name.first for user in USERS if user.nat == "IR")


def test_postcodes_are_numbers_in_some_countries_and_text_in_others():
    kinds = {user.nat: type(user.location.postcode) for user in USERS}
    text = {"CA": str, "GB": str, "NL": str, "NO": str}
    assert kinds == {code: text.get(code, int) for code, _ in NATIONALITIES}


def test_who_was_born_in_a_year_has_the_age_for_it_and_registered_later():
    for user in USERS:
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", user.dob.date)
        assert 2024 - user.dob.age - 1 <= int(user.dob.date[:4]) <= 2025 - user.dob.age
        assert user.dob.date < user.registered.date


def test_coordinates_are_on_earth():
    for user in USERS:
        place = user.location.coordinates
        assert abs(float(place.latitude)) <= 90
        assert abs(float(place.longitude)) <= 180


def test_every_user_can_be_posted_to_the_command_side_and_is_kept_as_it_is():
    for user, encoded in zip(USERS, ENCODED, strict=True):
        accepted = normalize(msgspec.json.decode(json.dumps(encoded), type=UserInput))
        location = encoded["location"]
        expected = {**encoded, "location": {**location, "postcode": str(location["postcode"])}}
        assert json.loads(msgspec.json.encode(accepted)) == expected
        assert accepted.email == user.email


def test_names_and_places_are_stored_in_composed_form():
    for user in USERS:
        text = f"{user.name.first} {user.name.last} {user.location.city} {user.email}"
        assert unicodedata.is_normalized("NFC", text)


def test_a_pattern_is_filled_with_digits_and_letters():
    random = SeededRandom("key")
    filled = [random.fill("%#-^^ x") for _ in islice(range(20), 20)]
    assert all(re.fullmatch(r"[1-9]\d-[A-Z]{2} x", one) for one in filled)
    assert len(set(filled)) > 1
