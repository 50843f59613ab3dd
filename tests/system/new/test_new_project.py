"""What `tandem new` has made passes its own checks and tests, whatever the names."""

import pytest

from new_projects import make_bank, make_project

# The shortest and the longest names, for lines that may be joined or become too long; and special ones.
NAMES = [("x", "xs"), ("a" * 20, "b" * 30), ("sheep", "sheep"), ("gadget", "gadgets")]
CHECKS = [("ruff", "check"), ("ruff", "format", "--check"), ("mypy",), ("pytest", "-p", "no:cacheprovider")]


@pytest.fixture(autouse=True)
def one_cache(tmp_path_factory, monkeypatch):
    """Lets mypy read Tandem once for all projects: it takes two seconds."""
    monkeypatch.setenv("MYPY_CACHE_DIR", str(tmp_path_factory.getbasetemp() / "mypy"))


def require_all_checks_pass(project):
    for check in CHECKS:
        done = project.run(*check)
        assert done.returncode == 0, f"{check}: {done.stdout}{done.stderr}"


@pytest.mark.parametrize("names", NAMES, ids=" ".join)
def test_its_checks_and_tests_pass(names, tmp_path):
    require_all_checks_pass(make_project(tmp_path, *names))


def test_the_checks_and_tests_of_the_bank_in_the_documents_pass(tmp_path):
    bank = make_bank(tmp_path)
    require_all_checks_pass(bank)
    require_kept(bank)


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    return make_project(tmp_path_factory.mktemp("new"), "account", "accounts")


def require_kept(project):
    done = project.run("lint-imports", "--no-cache")
    assert (done.returncode, "1 kept, 0 broken" in done.stdout) == (0, True), done.stdout + done.stderr


def test_it_keeps_to_what_tandem_promises(project):
    require_kept(project)


@pytest.mark.parametrize(
    "line",
    [
        "from tandem.cqrs import CreateUserCommand",
        "from tandem import ids",
        "from tandem.aggregates.flow import AggregateFlow",
        "import tandem_lab",
    ],
)
def test_an_import_of_what_may_change_breaks_its_contract(line, project):
    more = project.folder / "accounts" / "more.py"
    more.write_text(f"{line}\n")
    done = project.run("lint-imports", "--no-cache")
    more.unlink()
    assert (done.returncode, "1 broken" in done.stdout) == (1, True), done.stdout + done.stderr
    assert "accounts.more" in done.stdout
