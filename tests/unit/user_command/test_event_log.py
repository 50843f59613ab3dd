"""Events of every format that there ever was are read by this program."""

import json
from datetime import UTC, datetime

import pytest

from folding import fold
from places import EVENTS
from tandem.cqrs.user import UserCreated, UserDeleted, UserErased, UserUpdated
from tandem.user import Profile
from tandem.user.profile import Login, Name
from tandem.user_command.event_log import (
    FORMAT,
    UPCASTERS,
    StoredEvent,
    UnreadableEvent,
    event_of,
    state_after,
    stored_form,
)

CORPUS = [
    json.loads(line) for path in sorted(EVENTS.glob("*.jsonl")) for line in path.read_text().splitlines()
]


def read(event):
    data = event["data"]
    return event_of(event["type"], event["format"], None if data is None else json.dumps(data))


@pytest.mark.parametrize(
    "event", CORPUS, ids=lambda event: f"{event['type']} {event['format']} {event['what']}"
)
def test_an_event_of_any_format_is_read(event):
    read_event = read(event)
    event_type, data = stored_form(read_event)
    assert event_type == event["type"]
    assert (None if data is None else json.loads(data)) == event["today"]


def test_the_corpus_has_every_type_in_every_format():
    kinds = {(event["type"], event["format"]) for event in CORPUS}
    wanted = {("CREATED", number) for number in range(1, FORMAT + 1)} | {
        (kind, FORMAT) for kind in ("UPDATED", "DELETED", "ERASED")
    }
    assert wanted <= kinds
    assert {number for _, number in UPCASTERS} == set(range(1, FORMAT))


def test_every_event_is_read_as_it_was_written():
    events = [
        UserCreated(Profile("a@b", name=Name(first="Ada"), login=Login(username="ada"))),
        UserUpdated({"name": {"first": None, "last": "L"}, "phone": "1"}),
        UserDeleted(),
        UserErased(),
    ]
    again = [event_of(kind, FORMAT, data) for kind, data in map(stored_form, events)]
    assert again == events
    assert fold(again) == fold(events)


@pytest.mark.parametrize(
    ("kind", "number", "data", "why"),
    [
        ("CREATED", FORMAT + 1, '{"email": "a@b"}', f"its format is {FORMAT + 1}"),
        ("CREATED", 0, '{"email": "a@b"}', "its format is 0"),
        ("CREATED", FORMAT, None, "it has no data"),
        ("CREATED", FORMAT, "{", "truncated"),
        ("CREATED", FORMAT, '{"phone": "1"}', "email"),
        ("UPDATED", FORMAT, "[]", "object"),
    ],
)
def test_what_cannot_be_read_says_why_and_nothing_that_is_stored(kind, number, data, why):
    with pytest.raises(UnreadableEvent, match=why) as raised:
        event_of(kind, number, data)
    assert "a@b" not in str(raised.value)


def stored(version, kind, data):
    return StoredEvent(version, kind, FORMAT, data, "run", "instance-1", datetime(2026, 1, 1, tzinfo=UTC))


CREATED = stored(1, "CREATED", '{"email": "a@b"}')


@pytest.mark.parametrize(
    ("events", "why"),
    [
        ([CREATED, stored(2, "UPDATED", '{"phone": 5}')], "version 2, UPDATED: .*phone"),
        ([CREATED, stored(2, "UPDATED", '{"email": null}')], "version 2, UPDATED: .*email"),
        ([CREATED, stored(3, "UPDATED", '{"phone": "1"}')], "version 3, UPDATED: 2 is missing before it"),
        ([stored(2, "UPDATED", '{"phone": "1"}')], "version 2, UPDATED: the first event"),
    ],
)
def test_events_that_make_no_user_are_named_by_their_version(events, why):
    with pytest.raises(UnreadableEvent, match=why):
        state_after(events)
