"""What the stack says when it cannot go on."""

import click


class StackError(click.ClickException):
    """A sentence for the person: what is wrong, and what to do about it. The command line prints it."""
