"""The command line. Every installed package may add commands: the entry points `tandem.commands`.

Each command is loaded only when it is called, so that `tandem down` needs no database driver, and a command
whose extra is not installed says which one it needs.

Errors become messages in one place, here. Each package has a module `errors`, and its errors for people
derive from a class in that module: the service's from `tandem.errors.TandemError`.
"""

import os
import re
from collections.abc import Mapping
from difflib import get_close_matches
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any

import click

from tandem.errors import TandemError

GROUP = "tandem.commands"
# Package to what its commands are for, in the order in which people meet them.
SECTIONS = {
    "tandem_stack": "On this machine",
    "tandem": "With your own servers and aggregates",
    "tandem_lab": "Measure and prove",
}
# What people call first comes first in its section; all others follow by their names.
FIRST = ("up", "status", "stats", "down", "verify", "prove", "bench", "compare")
EXAMPLES = """\b
Examples:
    tandem up                         a stack on this machine, with its page
    tandem status                     what runs, if it answers, what is pending
    tandem prove --fault all          kill and freeze its parts: what is lost?
    tandem bench --quick              how fast it is, in two minutes
    tandem verify --data-dir .tandem  compare both stores while all goes on

TANDEM_DATA_DIR names the data folder for all commands; --data-dir overrules it.
`tandem COMMAND --help` explains one."""
# As in "ConnectionRefusedError: [Errno 111] Connect call failed ('127.0.0.1', 1)", and what PyMongo adds.
PYTHONS_ERROR = re.compile(
    r"(?:\b[A-Z]\w+Error: )?\[Errno (\d+)\](?: Connect call failed \([^()]*\)| [A-Z][a-z ]+)?"
)
DRIVERS_LIMITS = re.compile(r" \(configured timeouts: [^()]*\)")
# Package to the extra that installs what its commands need.
EXTRAS = {"tandem_stack": "local", "tandem_lab": "lab"}


class MissingExtra(TandemError):
    """A command needs a package that is not installed; says which extra brings it."""


@cache
def commands() -> Mapping[str, EntryPoint]:
    """Every command by its name, section by section."""
    found = sorted(entry_points(group=GROUP), key=lambda point: (_section(point), _rank(point), point.name))
    return {point.name: point for point in found}


def _rank(point: EntryPoint) -> int:
    return FIRST.index(point.name) if point.name in FIRST else len(FIRST)


def _package(point: EntryPoint) -> str:
    return point.module.partition(".")[0]


def _is_for_people(error: Exception) -> bool:
    """Whether the error is one of a package's own, by the module of its root: no package need be loaded."""
    roots = {f"{_package(point)}.errors" for point in commands().values()}
    return any(kind.__module__ in roots for kind in type(error).__mro__)


def _section(point: EntryPoint) -> int:
    packages = list(SECTIONS)
    package = _package(point)
    return packages.index(package) if package in packages else len(packages)


class CommandsOfAllPackages(click.Group):
    """A group whose commands are the entry points `tandem.commands`."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Every command, section by section."""
        del ctx
        return list(commands())

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that name.

        Raises:
            MissingExtra: it needs a package that is not installed.
        """
        del ctx
        point = commands().get(cmd_name)
        if point is None:
            return None
        try:
            command: click.Command = point.load()
        except ModuleNotFoundError as error:
            extra = EXTRAS.get(_package(point))
            if extra is None or (error.name or "").startswith("tandem"):
                raise
            msg = (
                f"`tandem {cmd_name}` needs {error.name}. Install it with the extra `{extra}`: "
                f"pip install 'tandem-cqrs[{extra}]'."
            )
            raise MissingExtra(msg) from None
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that is named.

        Raises:
            UsageError: there is none; names those that are spelled like it.
        """
        if self.get_command(ctx, args[0]) is None and not args[0].startswith("-"):
            alike = " or ".join(get_close_matches(args[0], commands(), n=2))
            hint = f"Did you mean {alike}?" if alike else "`tandem --help` lists them."
            ctx.fail(f"There is no command {args[0]!r}. {hint}")
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command that was named. An error for people ends it with its message alone.

        Raises:
            ClickException: the message; click prints it, and exits with 1.
        """
        try:
            return super().invoke(ctx)
        except click.BadParameter as error:
            raise click.BadParameter(_of_numbers(error) or error.message, error.ctx, error.param) from None
        except click.UsageError:
            raise
        except Exception as error:
            if not isinstance(error, click.ClickException) and not _is_for_people(error):
                raise
            raise click.ClickException(_in_words(str(error))) from None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The commands under the title of their section."""
        by_title: dict[str, list[tuple[str, str]]] = {}
        for name, point in commands().items():
            title = SECTIONS.get(_package(point), _package(point))
            by_title.setdefault(title, []).append((name, self._said_of(ctx, name)))
        for title, rows in by_title.items():
            with formatter.section(title):
                formatter.write_dl(rows)

    def _said_of(self, ctx: click.Context, name: str) -> str:
        """The first sentence of a command's help, or what the command lacks."""
        try:
            command = self.get_command(ctx, name)
        except MissingExtra as error:
            return str(error)
        return command.get_short_help_str(limit=200) if command else ""


def _in_words(text: str) -> str:
    """The text without the names and numbers that Python and its drivers have for what went wrong."""
    text = PYTHONS_ERROR.sub(lambda found: os.strerror(int(found[1])), text)
    return DRIVERS_LIMITS.sub("", text)


def _of_numbers(error: click.BadParameter) -> str:
    """What a number has to be, where it is not so; empty where the error is about something else."""
    of = error.param.type if error.param else None
    if not isinstance(of, click.types.IntParamType | click.types.FloatParamType):
        return ""
    whole = "whole number" if isinstance(of, click.types.IntParamType) else "number"
    least, most = getattr(of, "min", None), getattr(of, "max", None)
    bounds = f" from {least:,}" if least is not None else ""
    bounds += f" to {most:,}" if most is not None else " on" if bounds else ""
    given = error.message.partition(" is not ")[0].strip("'")
    return f"{given!r} is no {whole}{bounds}."


@click.group(
    cls=CommandsOfAllPackages, epilog=EXAMPLES, context_settings={"help_option_names": ["-h", "--help"]}
)
@click.version_option(package_name="tandem-cqrs", prog_name="tandem")
def main() -> None:
    """Users are written to PostgreSQL, served from MongoDB, and kept in step by an event flow."""
