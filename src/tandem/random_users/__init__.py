"""Random users in the format of randomuser.me 1.4: the same seed and number give the same user, for ever."""
