"""The record that PostgreSQL is given for a user."""

import msgspec

from systems import commands
from tandem.user import Profile
from tandem.user.profile import Picture
from tandem.user_command.rows import next_row, row_of


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
    email, *rest = row_of(Profile("a@b"), Ids())
    assert email == "a@b"
    assert set(rest) == {None, False}


def test_everything_that_is_known_of_a_user_is_in_its_row():
    (command,) = commands(1)
    row = row_of(command.profile, Ids())
    assert set(texts_in(msgspec.to_builtins(command.profile))) <= set(row)
    assert {49, 12} <= {value for value in row if isinstance(value, int)}
    assert {command.profile.dob.date[:10], command.profile.registered.date[:10]} == {
        value.date().isoformat() for value in row if hasattr(value, "isoformat")
    }


def test_what_comes_with_a_command_stands_at_the_end():
    row = row_of(Profile("a@b"), Ids(), ("run", "{}", "k", b"print", "trace"))
    assert (row.seed, row.event_data, row.idempotency_key, row.fingerprint, row.traceparent) == row[-5:]
    assert row[-5:] == ("run", "{}", "k", b"print", "trace")


def test_of_an_existing_user_only_the_rows_that_differ_are_written():
    (command,) = commands(1)
    before = command.profile
    after = msgspec.structs.replace(before, phone="1", login=None, picture=Picture(large="l"))
    row = next_row(before, after, Ids())
    assert (row.has_location, row.has_login, row.has_picture, row.phone) == (None, False, True, "1")
