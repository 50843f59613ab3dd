"""`tandem new`: writes an aggregate of the reader's own, in a project of its own.

The files of `scaffold` are about gadgets. In their names and texts each spelling of that word is replaced by
the reader's own.
"""

import ast
import builtins
import keyword
import pkgutil
import re
import shlex
import sys
from collections.abc import Iterator, Mapping
from importlib import resources
from importlib.resources.abc import Traversable
from importlib.util import find_spec
from pathlib import Path

import click

import tandem
from tandem.aggregates.definition import KIND, TAKEN
from tandem.aggregates.installed import installed
from tandem.errors import TandemError

SUFFIX = ".template"
# What an aggregate may import of Tandem.
PUBLIC = ("tandem.aggregates", "tandem.testing")
_PLURAL = re.compile("[a-z]{2,30}")
_WORDS = re.compile("GADGETS|Gadgets|gadgets|Gadget|gadget|INTERNALS")


class CannotMake(TandemError):
    """A project cannot be made like this; says why."""


@click.command
@click.argument("name")
@click.option("--plural", metavar="NAMES", help="What many of them are called.  [default: NAME and an s]")
@click.option(
    "--folder",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Where to write it: a new folder, or an empty one.  [default: ./NAMES]",
)
def new(name: str, plural: str | None, folder: Path | None) -> None:
    """Write an aggregate of your own: a project with its code, tables and tests, for you to change.

    NAME says what one of them is, in up to 20 lower-case letters, such as account. Once the project is
    installed, `tandem up`, `prove` and `bench` know the aggregate.
    """
    plural = plural or f"{name}s"
    _require_usable(name, plural)
    folder = folder or Path(plural)
    texts = _texts(name, plural)
    _write(folder, texts)
    click.echo("\n".join([f"Made {folder}:", *(f"  {path}" for path in texts)]))
    commands = (f"cd {shlex.quote(str(folder))}", "pip install -e '.[dev]'", "pytest")
    click.echo("\n".join(["", "Next:", *(f"  {command}" for command in commands)]))
    click.echo("Then `tandem up` runs it; README.md says how to use, prove and measure it.")


def _require_usable(name: str, plural: str) -> None:
    """Refuse names that the project could not be made, installed or run with.

    Raises:
        CannotMake: says which and why.
    """
    if not KIND.fullmatch(name):
        raise CannotMake(f"{name!r} is no name: take up to 20 lower-case letters, such as account.")
    if not _PLURAL.fullmatch(plural):
        raise CannotMake(f"{plural!r} is no plural: take 2 to 30 lower-case letters, such as accounts.")
    known = {word for each in installed() for word in (each.name, each.plural)}
    words_in_use = {"tests", *_words_of_code()} - {"gadget", "gadgets"}
    for word in (name, plural):
        if word in TAKEN:
            raise CannotMake(f"{word!r} is a word for what Tandem has already: take another.")
        if word in known:
            raise CannotMake(f"An aggregate that is installed has the name {word!r}: take another.")
        if keyword.iskeyword(word) or hasattr(builtins, word):
            raise CannotMake(f"{word!r} means something in Python: take another.")
        if word in words_in_use:
            raise CannotMake(f"The files to be made use {word!r} for something else: take another.")
    if plural in sys.stdlib_module_names or _is_installed(plural):
        raise CannotMake(f"There is a Python package {plural!r} already: give another --plural.")


def _is_installed(package: str) -> bool:
    """Whether there is a package of this name. A mere folder, such as the one to write to, is none."""
    found = find_spec(package)
    return found is not None and found.origin is not None


def _words_of_code() -> Iterator[str]:
    """What the code of a project gives a meaning to, in small letters."""
    for path, template in _templates():
        nodes = ast.walk(ast.parse(template)) if path.endswith(".py") else ()
        for node in nodes:
            if not isinstance(node, ast.keyword):
                words = (getattr(node, field, None) for field in ("id", "arg", "name", "asname"))
                yield from (word.lower() for word in words if isinstance(word, str))


def _templates() -> Iterator[tuple[str, str]]:
    """Path and text of each file, about gadgets."""
    root = resources.files("tandem") / "scaffold"
    yield from sorted(_files(root, ""))


def _files(folder: Traversable, path: str) -> Iterator[tuple[str, str]]:
    for entry in folder.iterdir():
        if entry.is_dir():
            yield from _files(entry, f"{path}{entry.name}/")
        elif entry.name.endswith(SUFFIX):
            yield f"{path}{entry.name.removesuffix(SUFFIX)}", entry.read_text("utf-8")


def _texts(name: str, plural: str) -> Mapping[str, str]:
    """The text of each file by its path."""
    words = {
        "gadget": name,
        "Gadget": name.capitalize(),
        "gadgets": plural,
        "Gadgets": plural.capitalize(),
        "GADGETS": plural.upper(),
        "INTERNALS": "\n".join(f'  "{module}",' for module in _internals()),
    }

    def own(text: str) -> str:
        return _WORDS.sub(lambda found: words[found[0]], text)

    return {own(path): own(text) for path, text in _templates()}


def _internals() -> Iterator[str]:
    """All modules of Tandem that are not public: their names, or what matches them, for import-linter."""
    for module in pkgutil.iter_modules(tandem.__path__, "tandem."):
        yield f"{module.name}.*" if module.name in PUBLIC else module.name
    yield from ("tandem_stack", "tandem_lab")


def _write(folder: Path, texts: Mapping[str, str]) -> None:
    """Write new files, and never over others.

    Raises:
        CannotMake: there is something in the folder, or it cannot be written to.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise CannotMake(f"There is something in {folder} already: give another --folder.")
        for path, text in texts.items():
            (folder / path).parent.mkdir(exist_ok=True, parents=True)
            with (folder / path).open("x", encoding="utf-8") as file:
                file.write(text)
    except OSError as error:
        raise CannotMake(f"{error.filename or folder} cannot be written: {error.strerror}.") from None
