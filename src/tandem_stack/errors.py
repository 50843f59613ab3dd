"""The error of the local stack."""

import click


class StackError(click.ClickException):
    """A sentence that the command line prints: what is wrong, and what to do about it."""
