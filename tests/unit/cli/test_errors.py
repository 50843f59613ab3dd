"""An error that is for people ends a command with its message; any other one keeps its traceback."""

import click
import pytest
from click.testing import CliRunner

from tandem.cli import CommandsOfAllPackages, main
from tandem.errors import TandemError

NOWHERE = ("--postgres-url", "postgresql://a@127.0.0.1:1/b", "--mongodb-url", "mongodb://127.0.0.1:1")
ToldByTheLab = type("ToldByTheLab", (Exception,), {"__module__": "tandem_lab.errors"})


class Failing(CommandsOfAllPackages):
    """A group, each command of which fails in the same way."""

    def __init__(self, error: Exception) -> None:
        super().__init__("failing")
        self._error = error

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command:
        del ctx

        def fail() -> None:
            raise self._error

        return click.Command(cmd_name, callback=fail)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["token", "--key-file", "/nowhere/key", "--scope", "query"], "/nowhere/key cannot be read: No such"),
        (["stats", "--url", "ftp://localhost"], "must begin with http:// or https://"),
        (["stats", "--url", "http://127.0.0.1:1"], "does not answer"),
        (["serve"], "POSTGRES_URL is not set"),
        (["migrate"], "POSTGRES_URL is not set"),
        (["verify", *NOWHERE], "127.0.0.1:1: Connection refused). Check"),
    ],
    ids=lambda given: given if isinstance(given, str) else " ".join(given[:1]),
)
def test_a_command_that_cannot_go_on_says_why_in_a_sentence(arguments, words):
    result = CliRunner().invoke(main, arguments, env={"POSTGRES_URL": None, "POSTGRES_URL_FILE": None})
    assert (result.exit_code, type(result.exception)) == (1, SystemExit)
    assert result.output.startswith("Error: ")
    assert words in result.output
    assert "Errno" not in result.output
    assert "configured timeouts" not in result.output


@pytest.mark.parametrize("error", [TandemError("Told."), ToldByTheLab("Told.")], ids=repr)
def test_the_errors_of_every_package_are_translated(error):
    result = CliRunner().invoke(Failing(error), ["any"])
    assert (result.exit_code, result.output) == (1, "Error: Told.\n")


def test_an_unforeseen_error_is_not_hidden():
    result = CliRunner().invoke(Failing(ValueError("a bug")), ["any"])
    assert isinstance(result.exception, ValueError)
