"""Random users in the format of randomuser.me 1.4: the same seed and number give the same user, for ever."""

from tandem.random_users.controller import RandomUsersController
from tandem.random_users.users import RandomUser, random_user, random_users

__all__ = ["RandomUser", "RandomUsersController", "random_user", "random_users"]
