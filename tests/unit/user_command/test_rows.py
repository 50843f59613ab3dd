"""The record that PostgreSQL is given for a user."""

import json

import msgspec

from systems import commands
from tandem.cqrs import CreateUserCommand, Idempotency
from tandem.user import Profile
from tandem.user_command.rows import row_of


class Ids:
    """Ids of what a test names, as `ReferenceIds` has learnt them from PostgreSQL."""

    def country(self, name):
        return None if name is None else 49

    def timezone(self, timezone):
        return None if timezone is None else 12


def texts_in(value):
    """Every text in a profile, but for what goes by an id and what becomes a moment."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for name, inner in value.items():
            if name not in {"country", "timezone", "date"}:
                yield from texts_in(inner)


def test_a_bare_email_leaves_every_other_column_empty():
    email, seed, state, *rest = row_of(CreateUserCommand("run", Profile("a@b")), Ids())
    assert (email, seed, json.loads(state)) == ("a@b", "run", {"email": "a@b"})
    assert set(rest) == {None, False}


def test_everything_that_is_known_of_a_user_is_in_its_row():
    (command,) = commands(1)
    row = row_of(command, Ids())
    assert set(texts_in(msgspec.to_builtins(command.profile))) <= set(row)
    assert {49, 12} <= {value for value in row if isinstance(value, int)}
    assert {command.profile.dob.date[:10], command.profile.registered.date[:10]} == {
        value.date().isoformat() for value in row if hasattr(value, "isoformat")
    }


def test_a_key_comes_with_its_fingerprint():
    row = row_of(CreateUserCommand("run", Profile("a@b"), Idempotency("k", b"print")), Ids())
    assert row[-2:] == ("k", b"print")


def test_rows_have_the_same_columns_whatever_is_known():
    assert len(row_of(CreateUserCommand("run", Profile("a@b")), Ids())) == len(row_of(*commands(1), Ids()))
