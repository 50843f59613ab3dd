"""What a report says of a peer beside its figures."""

import json

import pytest

from tandem_lab.errors import LabError
from tandem_lab.peers.facts import facts_of, lines_in, lines_of
from tandem_lab.peers.protocol import About
from tandem_lab.peers.registry import names, peers_named

PYTHON = '''
"""A docstring,
of two lines."""
# A comment.
import os  # with a comment


def text() -> str:
    """Another one."""
    return """Three lines

    that count"""


class Empty:
    """Nothing but this."""
'''
TYPESCRIPT = """
/** What it is,
 *  in two lines. */
import { a } from "a"; // why

// A comment.
export const all = "**/*.entity"; /* a remark */
  /* one */
run();
"""
SQL = "-- a comment\n\nSELECT 1 -- another\n  FROM a;\n"


@pytest.mark.parametrize(
    ("text", "suffix", "lines"),
    [(PYTHON, ".py", 6), (TYPESCRIPT, ".ts", 3), (SQL, ".sql", 2), ("", ".py", 0)],
)
def test_lines_count_that_are_neither_blank_nor_comments(text, suffix, lines):
    assert lines_in(text, suffix) == lines


def test_all_own_sources_of_a_folder_count_once(tmp_path):
    for name in ("a.py", "inner/b.ts", "inner/c.sql", "node_modules/other/d.js", ".venv/e.py", "README.md"):
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("one\n")
    assert lines_of([tmp_path, tmp_path / "a.py"]) == 3


def test_versions_are_those_that_are_installed(tmp_path):
    package = tmp_path / "node_modules" / "@some" / "library" / "package.json"
    package.parent.mkdir(parents=True)
    package.write_text(json.dumps({"name": "@some/library", "version": "1.2.3"}))
    (tmp_path / "src").mkdir()
    made_with = ("msgspec", "@some/library", "no-such-library", "postgres 18")
    facts = facts_of(About("it", "A peer.", sources=(tmp_path / "src",), made_with=made_with))
    assert facts.made_with["msgspec"][0].isdigit()
    assert facts.made_with["@some/library"] == "1.2.3"
    assert facts.made_with["no-such-library"] == ""
    assert facts.made_with["postgres"] == "18"


def test_peers_are_named_one_by_one_or_together_and_each_counts_once():
    assert list(peers_named(["plain_way"], "tandem, plain_way")) == ["plain_way", "tandem"]
    assert set(peers_named([], "all")) == set(names()) >= {"tandem", "plain_way"}
    assert peers_named([]) == {}


def test_two_peers_that_call_themselves_alike_cannot_be_told_apart(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    adapter = "from tandem_lab.peers.protocol import About\nclass peer: about = About('tandem', 'A copy.')\n"
    (tmp_path / "copy_of_tandem.py").write_text(adapter)
    with pytest.raises(LabError, match="same name"):
        peers_named(["tandem", "copy_of_tandem:peer"])
