"""The user as this system knows it: what clients may send, and the one normal form that is kept."""

from tandem.user.profile import Dated, Location, Profile, Street
from tandem.user.stored import StoredUser
from tandem.user.wire import InvalidField, UserInput, UserPatch, normalize

__all__ = [
    "Dated",
    "InvalidField",
    "Location",
    "Profile",
    "StoredUser",
    "Street",
    "UserInput",
    "UserPatch",
    "normalize",
]
