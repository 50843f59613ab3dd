"""The commands of a proof: what is sent, and to whom."""

import msgspec
import pytest

from tandem.random_users.seeded import SeededRandom
from tandem.user import UserInput, UserPatch, normalize
from tandem_lab.proof.commands import (
    HOT,
    MOST_TARGETS,
    Answer,
    Command,
    Target,
    Targets,
    creation,
    deletion,
    update,
)
from tandem_lab.proof.ledger import Kind, content_hash


def many(make, count=200):
    return [make("run", f"key-{n}", Target(7, 3), SeededRandom(f"key-{n}")) for n in range(count)]


def test_a_creation_promises_the_content_that_it_sends():
    command = creation("run", 5)
    entry = command.acknowledged_by(Answer(201, 1, 9))
    sent = normalize(msgspec.json.decode(command.body, type=UserInput))
    assert (entry.key, entry.id, entry.version, entry.kind) == ("run-5", 9, 1, Kind.CREATE)
    assert entry.content == content_hash(sent).hex()
    method, path, headers = command.request
    assert (method, path, headers["Idempotency-Key"]) == ("POST", "/api/v1/user-command?seed=run", "run-5")


def test_half_of_all_changes_expect_the_version_that_is_known():
    for make in (update, deletion):
        headers = [command.request[2].get("If-Match") for command in many(make)]
        assert set(headers) == {None, '"3"'}
        assert 50 < headers.count(None) < 150


def test_updates_are_patches_and_the_ledger_keeps_them():
    commands = many(update)
    for command in commands:
        msgspec.json.decode(command.body, type=UserPatch)
        entry = command.acknowledged_by(Answer(200, 4))
        assert (entry.id, entry.version, entry.patch) == (7, 4, msgspec.json.decode(command.body))
        assert command.request[:2] == ("PATCH", "/api/v1/user-command/7")
    unique = [command for command in commands if command.key.encode() in command.body]
    assert len({command.body for command in commands}) == len(unique) + 1


def test_some_deletions_erase():
    paths = [command.request[:2] for command in many(deletion)]
    assert set(paths) == {
        ("DELETE", "/api/v1/user-command/7"),
        ("DELETE", "/api/v1/user-command/7?erase=true"),
    }


@pytest.mark.parametrize(
    ("kind", "status", "etag", "is_one"),
    [
        (Kind.UPDATE, 200, '"4"', True),
        (Kind.UPDATE, 200, "", False),
        (Kind.UPDATE, 200, 'W/"4"', False),
        (Kind.UPDATE, 204, '"4"', False),
        (Kind.UPDATE, 404, "", False),
        (Kind.DELETE, 204, '"4"', True),
        (Kind.ERASE, 204, '"4"', True),
        (Kind.DELETE, 200, '"4"', False),
        (Kind.UPDATE, 412, '"4"', True),
        (Kind.UPDATE, 412, '"3"', False),
        (Kind.UPDATE, 412, "", False),
        (Kind.UPDATE, 410, "", False),
        (Kind.UPDATE, 503, "", False),
    ],
)
def test_a_response_answers_for_good_only_as_it_has_to(kind, status, etag, is_one):
    command = Command(kind, "key", "run", Target(7, 3), expected=3)
    answer = command.answered_by(status, etag, b"")
    assert answer == (Answer(status, int(etag.strip('"'))) if is_one else None)


def test_nobody_is_told_another_version_who_expected_none():
    command = Command(Kind.UPDATE, "key", "run", Target(7, 3))
    assert command.answered_by(412, '"4"', b"") is None


def test_who_was_sent_a_deletion_may_be_gone():
    command = Command(Kind.UPDATE, "key", "run", Target(7, 3, may_be_gone=True))
    assert command.answered_by(410, "", b"") == Answer(410, 0)


@pytest.mark.parametrize(
    ("status", "body"), [(201, b"{}"), (201, b"not JSON"), (200, b'{"id":7,"version":1}')]
)
def test_a_creation_is_answered_with_an_id(status, body):
    command = creation("run", 5)
    assert command.answered_by(201, "", b'{"id":7,"version":1,"more":2}') == Answer(201, 1, 7)
    assert command.answered_by(status, "", body) is None


@pytest.fixture
def targets():
    found = Targets()
    for number in range(10 * MOST_TARGETS):
        found.add(Target(number, 1), SeededRandom(str(number)))
    return found


def picked(targets, count=1_000):
    return [targets.pick(SeededRandom(f"pick {n}"), 2).id for n in range(count)]


def test_half_of_the_picks_are_hot_and_the_others_any_of_a_bounded_number(targets):
    ids = picked(targets)
    assert 400 < sum(user_id < HOT for user_id in ids) < 600
    assert HOT < len(set(ids)) <= MOST_TARGETS


def test_who_is_let_go_is_not_picked_again(targets):
    hot = [targets.pick(SeededRandom(str(n)), 1) for n in range(100)]
    assert {user.id for user in hot} == set(range(HOT))
    for user in hot:
        targets.let_go(user)
    assert set(picked(targets)).isdisjoint(range(HOT))


def test_where_nobody_is_left_nobody_is_picked():
    assert Targets().pick(SeededRandom("x"), 2) is None
