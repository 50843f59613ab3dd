"""`tandem new` writes a project once, and refuses in a sentence what could not be used."""

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from command_line import run_tandem
from installed import installed_orders
from tandem.cli import main


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch) -> Path:
    """The working directory of the command."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def new(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["new", *arguments])


def texts_below(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}


def test_it_says_what_it_made_and_what_to_type_next(folder):
    result = new("parcel")
    assert result.exit_code == 0, result.output
    made, _, then = result.output.partition("Next:\n")
    assert set(texts_below(folder / "parcels")) == {line.strip() for line in made.splitlines()[1:] if line}
    assert then.splitlines()[:3] == ["  cd parcels", "  pip install -e '.[dev]'", "  pytest"]


def test_all_that_it_writes_speaks_of_the_readers_own_thing(folder):
    new("story", "--plural", "stories", "--folder", "some where/else")
    texts = texts_below(folder / "some where" / "else")
    assert {"stories/story.py", "stories/story.sql", "stories/migrations/001_stories.sql"} <= set(texts)
    assert [path for path, text in texts.items() if "gadget" in f"{path}\n{text}".lower()] == []
    assert 'stories = "stories:STORIES"' in texts["pyproject.toml"]
    assert "class StoryOpened(" in texts["stories/story.py"]
    assert "CREATE TABLE prm_story_head" in texts["stories/migrations/001_stories.sql"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["Account"], "'Account' is no name: take up to 20 lower-case letters"),
        (["bank-account"], "'bank-account' is no name"),
        (["a" * 21], "is no name"),
        ([""], "'' is no name"),
        (["box", "--plural", "Boxes"], "'Boxes' is no plural"),
        (["user"], "'user' is a word for what Tandem has already"),
        (["member", "--plural", "users"], "'users' is a word for what Tandem has already"),
        (["country", "--plural", "countries"], "'country' is a word for what Tandem has already"),
        (["class", "--plural", "classes"], "'class' means something in Python"),
        (["list"], "'list' means something in Python"),
        (["event"], "The files to be made use 'event' for something else"),
        (["test"], "The files to be made use 'tests' for something else"),
        (["type", "--plural", "types"], "'type' means something in Python"),
        (["queue", "--plural", "queue"], "There is a Python package 'queue' already: give another --plural"),
        (["engine", "--plural", "click"], "There is a Python package 'click' already"),
    ],
    ids=lambda given: given if isinstance(given, str) else " ".join(given),
)
def test_a_name_that_could_not_be_used_is_refused(arguments, said, folder):
    result = new(*arguments)
    assert (result.exit_code, type(result.exception)) == (1, SystemExit)
    assert result.output.startswith("Error: ")
    assert said in result.output
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("arguments", [["order"], ["request", "--plural", "orders"]], ids=" ".join)
async def test_the_name_of_an_installed_aggregate_is_refused(arguments, folder):
    code, said = await run_tandem("new", *arguments, **installed_orders(folder / "installed"))
    assert (code, "installed has the name 'order" in said) == (1, True), said


def test_nothing_is_ever_written_over(folder):
    place = folder / "parcels"
    place.mkdir()
    (place / "mine").write_text("for good")
    result = new("parcel")
    assert (result.exit_code, "There is something in parcels already" in result.output) == (1, True)
    assert texts_below(place) == {"mine": "for good"}


def test_an_empty_folder_can_be_given(folder):
    (folder / "parcels").mkdir()
    assert new("parcel", "--folder", "parcels").exit_code == 0


def test_a_place_that_cannot_be_written_to_is_named(folder):
    (folder / "file").write_text("")
    result = new("parcel", "--folder", "file/parcels")
    assert (result.exit_code, type(result.exception)) == (1, SystemExit)
    assert "file/parcels cannot be written: Not a directory." in result.output
