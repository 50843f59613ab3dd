"""The errors that end a measurement or a proof."""

import click


class LabError(click.ClickException):
    """A sentence that the command line prints: what is wrong, and what to do about it."""


class GeneratorFailed(LabError):
    """The load generator ended without an outcome."""


class NotDrained(LabError):
    """Users of a run were still pending when the time to wait for them was over."""


class BaselineFailed(LabError):
    """A baseline's program has failed; says which, and its last line. The measurement goes on."""


class PeerFailed(LabError):
    """A peer could not be prepared or does not start; says which, and its last line."""
