"""What the proof says of one user whose ledger, rows, events and document contradict each other."""

import json
from datetime import UTC, datetime

import msgspec
import pytest

from rfc7396 import EXAMPLES
from tandem_lab.proof.judge import Promise, Row, judge, merged
from tandem_lab.proof.ledger import Acknowledged, Kind, content_hash

JANE = {
    "email": "jane@example.com",
    "name": {"first": "Jane", "last": "Doe"},
    "location": {"city": "Bonn", "street": {"number": None, "name": "Main"}},
    "phone": "1",
}
WHO = {"_id": 1, "seed": "run", "appId": "instance-1"}
TOMBSTONE = WHO | {"currentStatus": "DELETED", "deletedAt": datetime(2026, 1, 1, tzinfo=UTC)}


class User:
    """A user as it should be, of two versions; tests change it, and ask what is wrong then."""

    def __init__(self):
        self.key = "key"
        self.status = "SYNCRONIZED"
        self.pending = False
        self.events = [[1, "CREATED", JANE], [1, "SYNCRONIZED", None]]
        self.commands = []
        self.profile = merged({}, JANE)
        self.document = {}
        self.update(2, {"phone": "two", "location": {"city": None}})

    def update(self, version, patch, **changes):
        self.events += [[version, "UPDATED", patch], [version, "SYNCRONIZED", None]]
        self.profile = merged(self.profile, patch)
        self.document = WHO | self.profile | {"currentStatus": "SYNCRONIZED", "version": version}
        self.acknowledge(Kind.UPDATE, version, patch=patch, **changes)

    def delete(self, version, *, erase=False):
        self.status = "ERASED" if erase else "DELETED"
        self.events += [[version, self.status, None], [version, "SYNCRONIZED", None]]
        self.document = TOMBSTONE | {"version": version}
        self.acknowledge(Kind.ERASE if erase else Kind.DELETE, version)
        if erase:
            self.events = [[*event[:2], None] for event in self.events]
            self.key, self.profile = None, {"email": ""}

    def acknowledge(self, kind, version, **more):
        self.commands.append(Acknowledged(str(len(self.commands)), 1, "run", "", kind, version, **more))

    def without(self, version, stage):
        self.events = [event for event in self.events if event[:2] != [version, stage]]

    @property
    def failures(self):
        promise = Promise("key", content_hash(JANE))
        for command in self.commands:
            promise.add(command)
        version = max((event[0] for event in self.events if event[1] != "SYNCRONIZED"), default=0)
        rows, events = json.dumps(self.profile), json.dumps(sorted(self.events, key=lambda event: event[0]))
        row = Row(1, self.key, version, self.status, self.pending, False, rows, events)
        return [str(failure) for failure in judge(promise, row, self.document)]


@pytest.fixture
def user():
    return User()


def test_a_user_that_was_changed_as_asked_has_nothing_wrong(user):
    assert user.failures == []
    user.update(3, {"name": {"first": "Joan", "last": None}, "location": {"street": None}})
    user.update(4, {"phone": "three"}, expected=3)
    assert user.failures == []


@pytest.mark.parametrize("erase", [False, True])
def test_a_deleted_user_has_nothing_wrong_with_a_tombstone_or_with_nothing(user, erase):
    user.delete(3, erase=erase)
    assert user.failures == []
    user.document = None
    assert user.failures == []


def test_a_deleted_user_may_be_erased(user):
    user.delete(3)
    user.delete(4, erase=True)
    assert user.failures == []


def test_versions_may_pass_by_mongodb_but_not_the_last_one(user):
    user.update(3, {"phone": "three"})
    user.without(2, "SYNCRONIZED")
    user.without(1, "SYNCRONIZED")
    assert user.failures == []
    user.without(3, "SYNCRONIZED")
    assert user.failures == ["differing"]
    user.pending = True
    assert user.failures == []


def test_commands_that_change_nothing_may_share_a_version(user):
    for _ in range(2):
        user.acknowledge(Kind.UPDATE, 2, patch={"phone": "two"}, expected=2)
    user.acknowledge(Kind.UPDATE, 1, patch={"nat": None})
    assert user.failures == []


def test_an_update_that_shares_the_version_of_another_is_lost(user):
    user.acknowledge(Kind.UPDATE, 2, patch={"phone": "another"})
    assert user.failures == ["lost"]


def test_an_update_without_an_event_is_lost(user):
    user.acknowledge(Kind.UPDATE, 3, patch={"phone": "three"})
    assert user.failures == ["lost"]


def test_an_update_of_which_only_a_part_was_done_is_lost(user):
    user.acknowledge(Kind.UPDATE, 3, patch={"phone": "three", "cell": "three"})
    user.events += [[3, "UPDATED", {"phone": "three"}], [3, "SYNCRONIZED", None]]
    user.profile |= {"phone": "three"}
    user.document |= {"phone": "three", "version": 3}
    assert user.failures == ["lost", "unacknowledged"]


def test_an_update_that_is_done_twice_is_doubled(user):
    user.update(3, {"phone": "three"})
    user.update(4, {"phone": "two"})
    user.commands.pop()
    assert user.failures == ["doubled"]


def test_a_version_that_nobody_was_answered_is_named(user):
    user.update(3, {"phone": "three"})
    user.commands.pop()
    assert user.failures == ["unacknowledged"]


def test_who_was_erased_meanwhile_need_not_have_been_answered(user):
    user.delete(3, erase=True)
    user.commands.pop(0)
    assert user.failures == []


def test_an_update_of_another_version_than_was_expected_differs(user):
    user.update(3, {"phone": "three"}, expected=1)
    assert user.failures == ["differing"]


def test_a_deletion_without_an_event_is_lost(user):
    user.acknowledge(Kind.DELETE, 3)
    assert user.failures == ["lost"]


def test_a_second_deletion_with_the_same_version_is_lost(user):
    user.delete(3)
    user.acknowledge(Kind.DELETE, 3)
    assert user.failures == ["lost"]


def test_an_update_with_the_version_of_a_deletion_is_lost(user):
    user.delete(3)
    user.acknowledge(Kind.UPDATE, 3, patch={"nat": None})
    assert user.failures == ["lost"]


@pytest.mark.parametrize("erase", [False, True])
def test_a_deleted_user_with_a_profile_in_mongodb_is_resurrected(user, erase):
    before = user.document
    user.delete(3, erase=erase)
    user.document = before
    assert user.failures == ["resurrected"]
    user.pending = True
    assert user.failures == []


def test_a_deleted_user_whose_rows_live_is_resurrected(user):
    user.delete(3)
    user.status = "SYNCRONIZED"
    assert user.failures == ["resurrected"]


def test_a_deleted_user_that_is_changed_is_resurrected(user):
    user.delete(3)
    user.update(4, {"phone": "four"})
    user.status = "SYNCRONIZED"
    assert user.failures == ["resurrected"]


@pytest.mark.parametrize(
    "stages",
    [["SYNCRONIZED", 2], ["UPDATED", 2]],
    ids=str,
)
def test_a_stage_that_is_there_twice_is_doubled(user, stages):
    stage, version = stages
    user.events.append([version, stage, {}])
    assert user.failures == ["doubled"]


@pytest.mark.parametrize(
    "change", [{"version": 1}, {"phone": "1"}, {"currentStatus": "UPDATED"}, {"more": 1}]
)
def test_a_document_that_is_not_the_last_version_differs(user, change):
    user.document |= change
    assert user.failures == ["differing"]


def test_a_tombstone_of_somebody_who_lives_differs(user):
    user.document = TOMBSTONE | {"version": 2}
    assert user.failures == ["differing"]


@pytest.mark.parametrize("change", [{"version": 2}, {"phone": "1"}, {"currentStatus": "SYNCRONIZED"}])
def test_a_tombstone_of_another_version_or_with_more_in_it_differs(user, change):
    user.delete(3)
    user.document |= change
    assert user.failures == ["differing"]


def test_rows_that_are_not_what_the_events_make_differ(user):
    user.profile["phone"] = "other"
    user.document["phone"] = "two"
    assert user.failures == ["differing"]


@pytest.mark.parametrize("what", ["rows", "events", "key"])
def test_an_erased_user_of_whom_something_is_left_differs(user, what):
    user.delete(3, erase=True)
    if what == "rows":
        user.profile = {"email": "", "phone": "1"}
    elif what == "events":
        user.events[0] = [1, "CREATED", JANE]
    else:
        user.key = "key"
    assert user.failures == ["differing"]


@pytest.mark.parametrize("gap", [(1, "CREATED"), (2, "UPDATED")])
def test_a_gap_in_the_versions_differs(user, gap):
    user.update(3, {"phone": "three"})
    user.without(*gap)
    assert user.failures[-1] == "differing"


def test_a_version_that_mongodb_has_and_nobody_made_differs(user):
    user.events.append([9, "SYNCRONIZED", None])
    assert user.failures == ["differing"]


def test_a_missing_document_is_lost_unless_it_is_on_its_way(user):
    user.document = None
    assert user.failures == ["lost"]
    user.pending = True
    assert user.failures == []


@pytest.mark.parametrize(
    ("before", "patch", "after"),
    [
        # The first ones are about objects, and leave nothing empty behind.
        *EXAMPLES[:8],
        ({"e": None, "f": 1}, {"a": 1}, {"e": None, "f": 1, "a": 1}),
        # Here an object without any value is as good as absent.
        ({"a": {"b": 1}, "c": 0}, {"a": {"b": None}}, {"c": 0}),
        ({"a": 1}, {"a": {"b": {"c": None}}}, {}),
        ({}, {"a": {"bb": {"ccc": None}}, "d": ""}, {"d": ""}),
    ],
)
def test_patches_are_merged(before, patch, after):
    kept = msgspec.json.encode([before, patch])
    assert merged(before, patch) == after
    assert msgspec.json.encode([before, patch]) == kept
