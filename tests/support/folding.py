"""Folding a user's events, as the tests of decisions need it."""

from functools import reduce

from tandem.cqrs.user import evolve


def fold(events):
    """The user after these events; None after none."""
    return reduce(evolve, events, None)
