"""What the lab says when it cannot go on."""


class LabError(Exception):
    """A sentence for the person: what is wrong, and what to do about it."""
