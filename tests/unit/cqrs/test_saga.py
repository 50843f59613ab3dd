"""Which event leads to which command: three pure functions."""

from tandem.cqrs import (
    CreateUserQueryCommand,
    CreateUserQueryEvent,
    DeadLetterUserCommand,
    RefusedUserEvent,
    SynchronizedUserEvent,
    SynchronizeUserCommand,
    UserSaga,
)
from tandem.user import Profile, StoredUser


def test_a_stored_user_is_next_for_the_query_side():
    user = StoredUser(7, "s", "a", 1, None, Profile("a@b"))
    assert UserSaga.user_created(CreateUserQueryEvent(user)) == CreateUserQueryCommand(user)


def test_a_synchronized_user_is_recorded():
    event = SynchronizedUserEvent(7, 1, "run", "trace")
    assert UserSaga.user_synchronized(event) == SynchronizeUserCommand(7, 1, "run", "trace")


def test_a_refused_user_is_set_aside_with_the_reason():
    event = RefusedUserEvent(7, 1, "too large", "trace")
    assert UserSaga.user_refused(event) == DeadLetterUserCommand(7, 1, "too large", "trace")
