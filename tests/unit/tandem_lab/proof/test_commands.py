"""The commands of a proof: what is sent, and to whom."""

import msgspec
import pytest

from tandem.random_users.seeded import SeededRandom
from tandem.user import UserInput, UserPatch, normalize
from tandem_lab.proof.commands import HOT, MOST_TARGETS, Answer, Target, Targets, creation, deletion, update
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
