"""JSON Merge Patch: the examples of RFC 7396, and that what is kept of a patch leads to the same profile."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rfc7396 import EXAMPLES
from tandem.user import UserInput, normalize
from tandem.user.patch import changed, changes_between, merge_patch


@pytest.mark.parametrize(("target", "patch", "result"), EXAMPLES)
def test_the_examples_of_the_standard(target, patch, result):
    assert merge_patch(target, patch) == result


texts = st.none() | st.text(max_size=3).filter(lambda text: "\x00" not in text)
places = st.fixed_dictionaries(
    {},
    optional={
        "street": st.none()
        | st.fixed_dictionaries({}, optional={"number": st.none() | st.integers(0, 9), "name": texts}),
        "city": texts,
        "coordinates": st.fixed_dictionaries({}, optional={"latitude": texts, "longitude": texts}),
    },
)
users = st.fixed_dictionaries(
    {"email": st.sampled_from(["a@b", "c@d"])},
    optional={
        "name": st.fixed_dictionaries({}, optional={"first": texts, "last": texts}),
        "location": st.none() | places,
        "id": st.fixed_dictionaries({}, optional={"name": texts, "value": texts}),
        "dob": st.none() | st.integers(0, 9) | st.fixed_dictionaries({}, optional={"age": st.integers(0, 9)}),
        "phone": texts,
    },
)


def profile(user):
    return normalize(msgspec.convert(user, UserInput))


@given(users, users)
def test_what_is_kept_of_a_change_makes_the_same_profile(before, after):
    changes = changes_between(profile(before), profile(after))
    assert changed(profile(before), changes) == profile(after)
    assert bool(changes) == (profile(before) != profile(after))
