"""What the documents say is there, and what is there is in the documents."""

import importlib.metadata
import re
import subprocess
import sys

import numbers_of_peers
import pytest
import reference
import tour

from doc_pages import fences, files_below, pages, prose, without_fences
from places import ROOT
from tandem.cli import commands

README = (ROOT / "README.md").read_text()
ARCHITECTURE = (ROOT / "docs" / "architecture.md").read_text()
SOURCE = ROOT / "src" / "tandem"
DECISIONS = sorted((ROOT / "docs" / "decisions").glob("0*.md"))

LINK = re.compile(r"\]\(([^)#\s]+)[^)]*\)|(?:src|srcset|href)=\"([^\"#]+)\"")
PLACE_IN_A_PAGE = re.compile(r"\]\(((?:[\w./-]+\.md)?)#([^)\s]+)\)")
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


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_to_a_section_finds_it(page):
    wanted = PLACE_IN_A_PAGE.findall(without_fences(page.read_text()))
    lost = [
        (file, place) for file, place in wanted if place not in sections(page.parent / file if file else page)
    ]
    assert lost == []


def sections(page) -> set[str]:
    """What GitHub calls the sections of a page, in links."""
    titles = re.findall(r"^#+ (.+)$", without_fences(page.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


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


def test_the_help_lists_every_command():
    shown = subprocess.run(
        [sys.executable, "-m", "tandem", "--help"], capture_output=True, text=True, check=True
    ).stdout
    listed = re.findall(r"^  ([a-z][\w-]*) ", shown.partition("On this machine:")[2], re.MULTILINE)
    assert set(listed) == set(commands())


async def test_the_reference_is_what_the_program_says():
    """Commands, routes, settings and batches: `make docs` writes the pages anew."""
    for name, text in (await reference.pages()).items():
        assert (ROOT / "docs" / "reference" / name).read_text() == text, "make docs"


def test_what_is_made_from_the_documents_is_up_to_date():
    """The steps of the tour on the page, and the README's picture of numbers: `make docs` makes them anew."""
    peers, steps = ((ROOT / "docs" / name).read_text() for name in ("peers.md", "tour.md"))
    assert tour.STEPS.read_text() == tour.script(steps), "make docs"
    assert numbers_of_peers.PICTURE.read_text() == numbers_of_peers.picture(peers), "make docs"


def test_every_step_of_the_tour_has_one_thing_to_do_and_one_sentence_to_take_away():
    steps = tour.steps((ROOT / "docs" / "tour.md").read_text())
    assert len(steps) == len(re.findall(r"^## \d", (ROOT / "docs" / "tour.md").read_text(), re.MULTILINE))
    assert 50 <= sum(step["minutes"] for step in steps) <= 65
    for step in steps:
        commands = [part for part in step["parts"] if "command" in part]
        assert step["open"] or commands, step["title"]
        assert step["takeAway"].endswith("."), step["title"]


def test_the_readme_is_short_and_its_code_is_the_programs():
    assert len(README.splitlines()) <= 150
    (block,) = [fence.text for fence in fences(README) if fence.language == "python"]
    example = "".join(path.read_text() for path in (ROOT / "examples" / "orders" / "orders").glob("*.py"))
    assert len(block.splitlines()) <= 26
    assert [part for part in block.strip().split("\n\n\n") if part not in example] == []


def test_the_changelog_begins_with_this_version():
    first = re.search(r"^## \[(\d[^\]]*)\]", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert first is not None
    assert first[1] == importlib.metadata.version("tandem-cqrs")


def test_every_module_that_the_architecture_names_exists():
    named = set(re.findall(r"`([\w/]+\.(?:py|sql|conf\.template))`", ARCHITECTURE))
    assert len(named) > 20
    assert [path for path in named if not ((SOURCE / path).exists() or (SOURCE.parent / path).exists())] == []


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
