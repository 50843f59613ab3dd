"""What the command line says to whoever mistypes, asks for help, or names the data folder once for all."""

import sys

import pytest
from click.testing import CliRunner

from tandem.cli import SECTIONS, main
from tandem_stack.running import DATA_DIR_VARIABLE, command, nothing_runs_on


def run(*arguments: str, **environment: str | None):
    return CliRunner().invoke(main, arguments, env=environment)


def test_the_help_has_groups_and_examples():
    said = run("--help").output
    places = [said.index(title) for title in (*SECTIONS.values(), "Examples:")]
    assert places == sorted(places)
    assert "  tandem prove --fault all  " in said
    assert said.index("\n  up ") < said.index("\n  cells ")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("stauts",), "There is no command 'stauts'. Did you mean stats or status?"),
        (("porve",), "Did you mean prove or serve?"),
        (("xyz",), "`tandem --help` lists them"),
        (("cells", "drian"), "Did you mean 'drain'?"),
        (("prove", "--user", "5"), "Did you mean"),
        (("up", "--instances", "abc"), "'abc' is no whole number from 1 to 64."),
        (("up", "--instances", "65"), "'65' is no whole number from 1 to 64."),
        (("prove", "--random-seed", "x"), "'x' is no whole number."),
        (("prove", "--patience", "0.5"), "'0.5' is no number from 1 on."),
    ],
    ids=str,
)
def test_what_is_mistyped_is_answered_with_what_can_be_typed(arguments, said):
    result = run(*arguments)
    assert result.exit_code == 2
    assert said in result.output


def test_what_cannot_be_reached_is_said_without_python():
    said = run("stats", "--url", "http://127.0.0.1:1").output
    assert "http://127.0.0.1:1/api/v1/stats does not answer: Connection refused." in said
    assert "urlopen" not in said


def test_a_cell_for_no_stack_is_answered_with_what_starts_one(tmp_path):
    said = run("cells", "add", "--data-dir", str(tmp_path / "nope")).output
    assert f"tandem up --hosts --data-dir {tmp_path / 'nope'}`" in said


@pytest.mark.parametrize("of", ["status", "down", "stats", "prove", "cells list"])
def test_a_variable_names_the_data_folder_for_all_commands(of, tmp_path):
    words = of.split()
    said = run(*words, **{DATA_DIR_VARIABLE: str(tmp_path / "elsewhere")}).output
    assert f"running on {tmp_path / 'elsewhere'}." in said
    assert "--data-dir" not in said
    assert DATA_DIR_VARIABLE in run(*words, "--help").output


def test_the_variable_names_databases_only_where_nothing_else_does(tmp_path):
    here = {DATA_DIR_VARIABLE: str(tmp_path), "POSTGRES_URL": None, "MONGODB_URL": None}
    here |= {"POSTGRES_URL_FILE": None, "MONGODB_URL_FILE": None}
    assert f"running on {tmp_path}" in run("verify", **here).output
    nowhere = {"POSTGRES_URL": "postgresql://a@127.0.0.1:1/b", "MONGODB_URL": "mongodb://127.0.0.1:1"}
    options = ("--postgres-url", nowhere["POSTGRES_URL"], "--mongodb-url", nowhere["MONGODB_URL"])
    for said in (run("verify", **here | nowhere).output, run("verify", *options, **here).output):
        assert "127.0.0.1:1" in said
        assert str(tmp_path) not in said


def test_commands_in_messages_can_be_pasted(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv(DATA_DIR_VARIABLE, raising=False)
    program = tmp_path / "venv" / "tandem"
    program.parent.mkdir()
    program.touch(0o755)
    monkeypatch.setattr(sys, "executable", str(program.with_name("python")))
    monkeypatch.setenv("PATH", "/nowhere")
    assert command("down", tmp_path / ".tandem") == "venv/tandem down"
    assert command("down", tmp_path / "a b") == "venv/tandem down --data-dir 'a b'"
    monkeypatch.setenv("PATH", str(program.parent))
    assert command("down", tmp_path.parent / "other") == f"tandem down --data-dir {tmp_path.parent / 'other'}"
    monkeypatch.setenv(DATA_DIR_VARIABLE, "other")
    assert command("down", tmp_path / "other") == "tandem down"
    assert nothing_runs_on(tmp_path / ".tandem").endswith("`tandem up --data-dir .tandem`.")
    program.unlink()
    assert command("down", tmp_path / "other").endswith("venv/python -m tandem down")
