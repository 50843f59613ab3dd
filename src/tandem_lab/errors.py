"""What the lab says when it cannot go on."""

import click


class LabError(click.ClickException):
    """A sentence for the person: what is wrong, and what to do about it. The command line prints it."""


class GeneratorFailed(LabError):
    """The load generator ended without an outcome."""


class NotDrained(LabError):
    """Users of a run were still on their way when patience ended."""


class BaselineFailed(LabError):
    """A baseline's program has failed; says which, and its last words. The measurement goes on."""
