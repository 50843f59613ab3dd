"""What may happen to a user: given what has happened, when a command comes, then these events follow."""

import pytest

from folding import fold
from tandem.cqrs import CreateUserCommand, DeleteUserCommand, UpdateUserCommand
from tandem.cqrs.user import (
    UserCreated,
    UserDeleted,
    UserErased,
    UserUpdated,
    decide,
    evolve,
)
from tandem.delivery.rejections import Gone, OtherVersion, Unknown
from tandem.user import InvalidField, Profile
from tandem.user.profile import Dated, Name

JANE = Profile("jane@example.com", name=Name(first="Jane", last="Doe"), phone="1")
CREATED = UserCreated(JANE)
IS_2 = OtherVersion("user", 2)
PHONE_2 = UserUpdated({"phone": "2"})


class given:  # noqa: N801 - a test reads as a sentence
    """`given(events).when(command).then(events)`, or `.then(rejection)`."""

    def __init__(self, *events) -> None:
        self._user = fold(events)

    def when(self, command):
        self._command = command
        return self

    def then(self, *expected) -> None:
        if expected and isinstance(expected[0], (type, Exception)):
            kind = expected[0] if isinstance(expected[0], type) else type(expected[0])
            with pytest.raises(kind) as raised:
                decide(self._command, self._user)
            if isinstance(expected[0], Exception):
                assert vars(raised.value) == vars(expected[0])
        else:
            assert decide(self._command, self._user) == list(expected)


def update(patch, **more):
    return UpdateUserCommand(7, patch, **more)


def delete(**more):
    return DeleteUserCommand(7, **more)


def test_a_user_is_created():
    given().when(CreateUserCommand("run", JANE)).then(CREATED)


def test_an_update_keeps_what_was_changed():
    given(CREATED).when(update({"phone": "2"})).then(PHONE_2)


def test_an_update_in_an_old_form_is_kept_in_normal_form():
    given(CREATED).when(update({"dob": 5, "location": {"postcode": 7, "street": "Main 5"}})).then(
        UserUpdated(
            {
                "dob": {"date": "1970-01-01T00:00:05.000Z"},
                "location": {"postcode": "7", "street": {"name": "Main 5"}},
            }
        )
    )


def test_null_removes():
    given(CREATED).when(update({"phone": None, "name": {"first": None}})).then(
        UserUpdated({"phone": None, "name": {"first": None}})
    )


def test_an_object_of_which_nothing_is_left_is_removed():
    given(CREATED).when(update({"name": {"first": None, "last": None}})).then(UserUpdated({"name": None}))


@pytest.mark.parametrize(
    "patch", [{}, {"phone": "1"}, {"cell": None}, {"unknown": 1}, {"login": {"salt": "x"}}]
)
def test_what_changes_nothing_makes_no_event(patch):
    given(CREATED).when(update(patch)).then()


def test_what_would_be_no_user_is_rejected():
    given(CREATED).when(update({"dob": "someday"})).then(InvalidField)


def test_nobody_is_neither_updated_nor_deleted():
    given().when(update({"phone": "2"})).then(Unknown)
    given().when(delete()).then(Unknown)


def test_an_expected_version_that_is_there_lets_pass():
    given(CREATED, PHONE_2).when(update({"phone": "3"}, expected=frozenset({1, 2}))).then(
        UserUpdated({"phone": "3"})
    )


def test_another_version_than_is_expected_is_rejected_with_the_one_that_is_there():
    given(CREATED, PHONE_2).when(update({"phone": "3"}, expected=frozenset({1}))).then(IS_2)
    given(CREATED, PHONE_2).when(delete(expected=frozenset())).then(IS_2)
    given(CREATED, PHONE_2).when(update({"phone": "2"}, expected=frozenset({1}))).then(IS_2)


def test_a_user_is_deleted_once():
    given(CREATED).when(delete()).then(UserDeleted())
    given(CREATED, UserDeleted()).when(delete()).then(Gone)
    given(CREATED, UserDeleted()).when(update({"phone": "2"})).then(Gone)
    given(CREATED, UserDeleted()).when(delete(expected=frozenset({1}))).then(Gone)


def test_a_deleted_user_can_still_be_erased_and_an_erased_one_cannot():
    given(CREATED).when(delete(erase=True)).then(UserErased())
    given(CREATED, UserDeleted()).when(delete(erase=True)).then(UserErased())
    given(CREATED, UserErased()).when(delete(erase=True)).then(Gone)


def test_every_change_makes_the_next_version():
    events = (CREATED, PHONE_2, UserUpdated({"dob": {"age": 3}}), UserDeleted(), UserErased())
    states = [fold(events[:count]) for count in range(1, len(events) + 1)]
    assert [state.version for state in states] == [1, 2, 3, 4, 5]
    assert states[1].profile.phone == "2"
    assert states[2].profile.dob == Dated(age=3)
    assert [state.profile for state in states[3:]] == [None, None]
    assert [state.is_erased for state in states] == [False, False, False, False, True]


@pytest.mark.parametrize(
    "events", [(PHONE_2,), (UserDeleted(),), (CREATED, CREATED), (CREATED, UserDeleted(), PHONE_2)]
)
def test_events_that_cannot_follow_are_refused(events):
    with pytest.raises(ValueError, match="user"):
        fold(events)


def test_deciding_and_evolving_change_nothing_that_they_are_given():
    user = fold([CREATED])
    patch = {"name": {"first": "Joan"}}
    (event,) = decide(update(patch), user)
    evolve(user, event)
    assert user == fold([CREATED])
    assert patch == {"name": {"first": "Joan"}}
