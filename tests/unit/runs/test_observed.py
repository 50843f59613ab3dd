"""What a watching instance sees between two samples of a run."""

from datetime import UTC, datetime, timedelta

from msgspec.structs import replace

from tandem.runs.happenings import merged
from tandem.runs.live_run import LiveDatabases, LiveEvent, LiveInstance
from tandem.runs.observed import Observer, Words

AT = datetime(2026, 1, 1, tzinfo=UTC)
UP = LiveDatabases.of(postgresql=True, mongodb=True)


def instance(name="a", state="ready", incarnation=1, took_over=None, **more):
    return LiveInstance(name, incarnation, state, 0, 0, 0, 0, 0, took_over or {}, None, None, **more)


def event(second=0, *instances, **more):
    columns = {"seed": "run", "app_id": "x", "databases": UP, "at": AT + timedelta(seconds=second)} | more
    return LiveEvent(**columns, instances=list(instances))


def texts(observer, *events, kept=()):
    """What is told of these, one after the other."""
    told = []
    for before, now in zip((None, *events), events, strict=False):
        told += observer.observe(before, now, kept)
    return [one.text for one in told]


def test_an_instance_that_dies_falls_silent_or_comes_back_is_told():
    events = [
        event(0, instance()),
        event(1, instance(state="silent")),
        event(2, instance()),
        event(3, instance(state="gone")),
        event(4, instance(incarnation=2)),
        event(5, instance(incarnation=3)),
    ]
    gone = "a is gone."
    expected = ["a has fallen silent.", "a is back.", gone, "a has started.", gone, "a has started."]
    assert texts(Observer(Words()), *events) == expected


def test_a_silent_cell_is_told_and_its_instances_are_neither_gone_nor_new():
    all_, silent = event(0, instance(cell=0), instance(cell=3)), event(1, instance(cell=0), silent_cells=[3])
    told = texts(Observer(Words()), all_, silent, all_)
    assert told == ["Cell 3 does not answer.", "Cell 3 answers again."]
    assert texts(Observer(Words()), all_, event(1, instance(cell=0))) == ["a is gone."]


def test_a_takeover_is_told_when_it_is_over_and_what_was_told_before_is_left_out():
    numbers = [0, 100, 142, 142, 142, 142, 150, 150, 150]
    events = [event(second, instance(took_over={"b": number})) for second, number in enumerate(numbers)]
    assert texts(Observer(Words()), *events) == ["a took over 142 users of b.", "a took over 8 users of b."]


def test_two_watchers_of_a_takeover_tell_it_once():
    events = [event(second, instance(took_over={"b": number})) for second, number in enumerate([0, 5, 5, 5])]
    one, other = Observer(Words("order", "orders")), Observer(Words("order", "orders"))
    kept = []
    for observer in (one, other):
        for before, now in zip((None, *events), events, strict=False):
            kept += observer.observe(before, now, ())
    assert [each.text for each in merged(kept)] == ["a took over 5 orders of b."]
    late = texts(Observer(Words()), *events, kept=merged(kept))
    assert late == []


def test_databases_and_dead_letters_are_told():
    down = replace(event(1), databases=LiveDatabases.of(postgresql=True, mongodb=False))
    refused = [event(second, dead_letters=1) for second in (2, 3, 4)]
    assert texts(Observer(Words()), event(0), down, *refused) == [
        "MongoDB does not answer.",
        "MongoDB answers again.",
        "MongoDB refused 1 user, set aside as dead letters.",
    ]
