"""What the documents say is there, and what is there is in the documents."""

import importlib.metadata
import re
import subprocess
import sys
from datetime import timedelta

import click
import msgspec
import pytest
import settings_table
from doc_pages import ROOT, files_below, pages, prose, without_fences

from tandem.app import Instance
from tandem.app.serve import application
from tandem.cli import commands, main
from tandem.config import Settings
from tandem.user_command.database import Database
from tandem.user_command.sessions import Sessions
from tandem.user_query.database import open_client
from tandem.web.door import OpenDoor
from tandem.web.requests import RawRequest

README = (ROOT / "README.md").read_text()
ARCHITECTURE = (ROOT / "docs" / "architecture.md").read_text()
SOURCE = ROOT / "src" / "tandem"
DECISIONS = sorted((ROOT / "docs" / "decisions").glob("0*.md"))

LINK = re.compile(r"\]\(([^)#\s]+)[^)]*\)|(?:src|srcset|href)=\"([^\"#]+)\"")
# The backslashes keep this file from naming what it looks for.
REGISTRY_HOST = re.compile(r"pypi\.org|pythonhosted\.org|npmjs\.(?:org|com)|deb\.debian\.org")
PLACE_ON_A_MACHINE = re.compile(r"(?<![\w.])/(?:home|Users|root|work)/\w")


def names_in_a_tables_first_column(text: str) -> set[str]:
    """Everything in backticks in the first cell of any row."""
    cells = (line.split("|")[1] for line in text.splitlines() if line.startswith("| `"))
    return {name for cell in cells for name in re.findall(r"`([^`]+)`", cell)}


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_every_relative_link_leads_somewhere(page):
    targets = {first or second for first, second in LINK.findall(without_fences(page.read_text()))}
    relative = {target for target in targets if "://" not in target and not target.startswith("mailto:")}
    assert [target for target in relative if not (page.parent / target).exists()] == []


def test_every_page_can_be_reached_from_the_readme():
    seen = {ROOT / "README.md"}
    waiting = list(seen)
    while waiting:
        page = waiting.pop()
        for first, second in LINK.findall(page.read_text()):
            target = (page.parent / (first or second)).resolve()
            if target.suffix == ".md" and target.exists() and target not in seen:
                seen.add(target)
                waiting.append(target)
    assert set(pages()) - seen == set()


def test_every_command_that_the_help_lists_is_described():
    shown = subprocess.run(
        [sys.executable, "-m", "tandem", "--help"], capture_output=True, text=True, check=True
    ).stdout
    listed = re.findall(r"^  ([a-z][\w-]*) ", shown.partition("On this machine:")[2], re.MULTILINE)
    assert set(listed) == set(commands())
    assert [name for name in listed if f"`tandem {name}`" not in README] == []


def test_every_option_of_every_command_is_described():
    context = click.Context(main)
    found = [main.get_command(context, name) for name in commands()]
    groups = [command for command in found if isinstance(command, click.Group)]
    found += [below for group in groups for below in group.commands.values()]
    options = {option for command in found for parameter in command.params for option in parameter.opts}
    assert {"--instances", "--all"} <= options
    assert {option for option in options if option.startswith("--") and option not in README} == set()


def test_the_table_of_settings_is_that_of_the_class():
    page = settings_table.PAGE.read_text()
    assert page == settings_table.with_table(page), "make settings"


async def test_every_route_is_described():
    """The routes are those of a real instance, which need not be connected to be asked for them."""
    settings = Settings(
        postgres_url="postgresql://nobody@127.0.0.1:1/none", mongodb_url="mongodb://127.0.0.1:1"
    )
    client = open_client(settings.mongodb_url, name="docs", deadline=timedelta(seconds=1))
    patience = timedelta(seconds=1)
    database = Database(Sessions(settings.postgres_url, {}, patience, size=1), patience)
    instance = Instance(settings, database, client)
    request = RawRequest("GET", b"/api-json", b"", {})
    answer = await application(instance, OpenDoor()).answer(request)
    document = msgspec.json.decode(answer.body)
    await client.close()
    routes = {f"{method.upper()} {path}" for path, methods in document["paths"].items() for method in methods}
    described = {name.partition("?")[0] for name in names_in_a_tables_first_column(README)}
    assert routes - described == set()


def test_the_changelog_begins_with_this_version():
    first = re.search(r"^## \[(\d[^\]]*)\]", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert first is not None
    assert first[1] == importlib.metadata.version("tandem-cqrs")


def test_every_module_that_the_architecture_names_exists():
    named = set(re.findall(r"`([\w/]+\.(?:py|sql|conf\.template))`", ARCHITECTURE))
    assert len(named) > 50
    assert [path for path in named if not ((SOURCE / path).exists() or (SOURCE.parent / path).exists())] == []


@pytest.mark.parametrize("package", ["kernel", "cqrs", "user", "user_command", "user_query", "web", "app"])
def test_the_architecture_names_every_module_of(package):
    modules = {str(path.relative_to(SOURCE)) for path in (SOURCE / package).glob("[!_]*.py")}
    assert {module for module in modules if f"`{module}`" not in ARCHITECTURE} == set()


@pytest.mark.parametrize("page", ["README.md", "docs/architecture.md"])
def test_every_package_has_its_place_in(page):
    packages = {path.parent.name for path in SOURCE.glob("*/__init__.py")}
    text = (ROOT / page).read_text()
    assert {name for name in packages if not re.search(rf"(^| |`){name}(/|`| )", text, re.MULTILINE)} == set()


def test_every_table_of_the_schema_is_in_the_architecture():
    migrations = "\n".join(path.read_text() for path in SOURCE.glob("user_command/migrations/0*.sql"))
    tables = set(re.findall(r"CREATE TABLE (\w+)", migrations))
    assert {table for table in tables if f"`{table}`" not in ARCHITECTURE} == set()


def test_every_decision_is_in_the_index():
    index = (ROOT / "docs" / "decisions" / "README.md").read_text()
    assert [path.name for path in DECISIONS if f"({path.name})" not in index] == []
    assert [path.name[:4] for path in DECISIONS] == [f"{n:04}" for n in range(1, len(DECISIONS) + 1)]


@pytest.mark.parametrize("path", DECISIONS, ids=lambda path: path.name)
def test_a_decision_says_why_and_what_would_change_it(path):
    text = path.read_text()
    assert text.startswith(f"# {int(path.name[:4])}. ")
    parts = ("**Context.**", "**Choice.**", "**What would change our mind.**")
    assert [part for part in parts if part not in text] == []


def test_every_make_target_that_a_document_names_exists():
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    named = re.findall(r"(?:`|^)make ([a-z-]+)", prose(), re.MULTILINE)
    assert named
    assert set(named) <= set(targets)


def test_no_file_names_a_package_registrys_host_or_a_place_on_somebodys_machine():
    found = []
    for path in files_below(ROOT):
        if "swagger_ui" in path.parts or path.suffix in {".png", ".svg", ".webp"}:
            continue
        text = path.read_text()
        found += [
            (path.name, hit[0]) for hit in (*REGISTRY_HOST.finditer(text), *PLACE_ON_A_MACHINE.finditer(text))
        ]
    assert found == []
