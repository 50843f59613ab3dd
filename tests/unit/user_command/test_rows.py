"""What PostgreSQL is given of a user that changes."""

import msgspec

from systems import commands
from tandem.user import Profile
from tandem.user.profile import Picture
from tandem.user_command.rows import next_state


def test_of_what_hangs_off_a_user_only_what_differs_is_written():
    (command,) = commands(1)
    before = command.profile
    after = msgspec.structs.replace(before, phone="1", login=None, picture=Picture(large="l"))
    state = msgspec.json.decode(next_state(before, after))
    assert "location" not in state
    assert (state["login"], state["picture"], state["phone"]) == (None, {"large": "l"}, "1")


def test_of_a_user_that_had_nothing_everything_is_written():
    (command,) = commands(1)
    assert msgspec.json.decode(next_state(None, command.profile)) == msgspec.to_builtins(command.profile)
    nothing = {"email": "", "location": None, "login": None, "picture": None}
    assert msgspec.json.decode(next_state(None, Profile(""))) == nothing
