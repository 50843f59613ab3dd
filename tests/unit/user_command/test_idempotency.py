"""Which commands of a batch create, and what the others are answered."""

import pytest

from tandem.cqrs import CreateUserCommand, Idempotency, UserCommandAggregate
from tandem.user import Profile, StoredUser
from tandem.user_command.idempotency import (
    InvalidKey,
    KeyedUser,
    KeyReused,
    idempotency_of,
    replayed,
    still_to_create,
)

USER = StoredUser(7, "run", "instance-1", 1, None, Profile("a@example.com"))


def command(key=None, fingerprint=b"same"):
    return CreateUserCommand("run", Profile("a@example.com"), Idempotency(key, fingerprint) if key else None)


def test_commands_without_a_key_all_create():
    batch = [command(), command()]
    assert still_to_create(batch, {}) == batch


def test_only_the_first_of_a_key_creates():
    first, second = command("k", b"first"), command("k", b"second")
    assert still_to_create([first, second], {}) == [first]


def test_a_key_that_has_a_user_creates_none():
    assert still_to_create([command("known")], {"known": KeyedUser(b"same", USER)}) == []


def test_keys_create_in_their_order_whatever_order_they_came_in():
    a, b, bare = command("a"), command("b"), command()
    assert still_to_create([b, bare, a], {}) == still_to_create([a, b, bare], {}) == [bare, a, b]


def test_a_repeated_command_gets_the_user_of_its_key():
    answer = replayed(command("k"), {"k": KeyedUser(b"same", USER)})
    assert isinstance(answer, UserCommandAggregate)
    assert (answer.user, answer.replayed) == (USER, True)


def test_another_command_with_the_same_key_is_told_so():
    answer = replayed(command("k", b"other"), {"k": KeyedUser(b"same", USER)})
    assert isinstance(answer, KeyReused)


def test_a_quoted_key_is_the_same_as_a_bare_one():
    assert idempotency_of(' "a key" ', "run", b"{}") == idempotency_of("a key", "run", b"{}")


@pytest.mark.parametrize(("seed", "body"), [("other", b"{}"), ("run", b"[]")])
def test_the_fingerprint_is_of_run_and_body(seed, body):
    assert idempotency_of("k", "run", b"{}") != idempotency_of("k", seed, body)


@pytest.mark.parametrize("key", ["", '""', "x" * 129, "käse", '"half', 'in"side'])
def test_a_key_that_is_no_key_is_refused(key):
    with pytest.raises(InvalidKey, match="1 to 128"):
        idempotency_of(key, "run", b"{}")
