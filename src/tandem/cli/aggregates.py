"""The option `--aggregate` of commands that ask a running instance."""

from collections.abc import Callable
from typing import Any

import click
import msgspec

from tandem.aggregates.names_controller import USERS, AggregateNames
from tandem.cli.http import NoAnswer, ask

_decode = msgspec.json.Decoder(list[AggregateNames]).decode


def aggregate_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the option `--aggregate`, of which `names_of` makes names."""
    text = "What it is about: users, or an installed aggregate, such as orders."
    return click.option("--aggregate", default=USERS.plural, show_default=True, help=text)(command)


def names_of(base: str, aggregate: str) -> AggregateNames:
    """The names of the aggregate that was asked for by one of them, at the instance that answers at `base`.

    Raises:
        NoAnswer: the instance has no such aggregate; says which it has.
    """
    if aggregate == USERS.plural:
        return USERS
    known = _decode(ask(f"{base}/api/v1/aggregates"))
    for names in known:
        if aggregate in (names.name, names.plural):
            return names
    plurals = ", ".join(names.plural for names in known)
    raise NoAnswer(f"There is no aggregate {aggregate!r} at {base}. There are: {plurals}.")
