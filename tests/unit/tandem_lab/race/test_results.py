"""What is said of a race when it is over, and what is kept of its history."""

import pytest

from tandem_lab.race.results import MOST_POINTS, Plan, Race, Side, race_of, sentence_of


def race(*, fault: str | None = "kill", tandem: tuple[int, int] = (0, 0), other: tuple[int, int]) -> Race:
    """A race of 2,000 users, and who has lost and doubled how many."""
    found = race_of(Plan(peer="plain_way", users=2_000, seed="s", fault=fault))
    for side, (lost, doubled) in zip(found.sides, (tandem, other), strict=True):
        side.acknowledged, side.lost, side.doubled = 2_000, lost, doubled
    return found


@pytest.mark.parametrize(
    ("found", "sentence"),
    [
        (
            race(other=(1_214, 0)),
            "The plain way has lost 1,214 of 2,000 users that it had acknowledged; Tandem none.",
        ),
        (
            race(other=(0, 3)),
            "The plain way has lost none of 2,000 users that it had acknowledged, and has 3 twice;"
            " Tandem none. Whoever is there twice was sent again, as no answer had come.",
        ),
        (
            race(other=(0, 0), tandem=(7, 0)),
            "The plain way has lost none of 2,000 users that it had acknowledged; Tandem 7.",
        ),
        (
            race(other=(0, 0)),
            "Neither has lost any of 2,000 users: little was on its way when both were killed."
            " The faster they go, the more is.",
        ),
        (
            race(fault=None, other=(0, 0)),
            "Neither has lost any of 2,000 users, as nothing was killed."
            " Race again, and kill both in the middle.",
        ),
    ],
)
def test_the_sentence_says_who_has_lost_how_many_whoever_it_is(found, sentence):
    assert sentence_of(found) == sentence


def test_a_long_history_is_thinned_and_keeps_its_beginning_and_its_end():
    side = Side("Tandem")
    for second in range(5 * MOST_POINTS):
        side.acknowledged = side.second = second
        side.seconds = second
        side.note(second)
    assert len(side.history) <= MOST_POINTS
    assert side.history[0] == (0, 0, 0)
    assert side.history[-1][0] >= 5 * MOST_POINTS - 2
    assert side.per_second == 1
    assert side.history == sorted(side.history)
