"""What a report says of a peer beside its figures: how much code it is, and with which libraries."""

import io
import tokenize
from collections.abc import Iterator, Sequence
from contextlib import suppress
from importlib import metadata
from pathlib import Path

import msgspec

from tandem_lab.bench.results import PeerFacts
from tandem_lab.peers.protocol import About

#: How a line begins that is a comment, by the kinds of files that count.
COMMENTS = {".py": "#", ".ts": "//", ".js": "//", ".sql": "--"}
#: Folders of what others have written, or what a program has.
NOT_OWN = {"node_modules", "__pycache__", "dist", "build"}
_LAYOUT = {
    *(tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER),
}


def facts_of(about: About) -> PeerFacts:
    """What is known of a peer."""
    return PeerFacts(
        name=about.name,
        what=about.what,
        accepts_keys=about.accepts_keys,
        lines=lines_of(about.sources),
        made_with=versions_of(about),
    )


def versions_of(about: About) -> dict[str, str]:
    """The libraries that a peer is made with, each with its version: empty if it is not installed."""
    return dict(_with_version(each, about.sources) for each in about.made_with)


def lines_of(sources: Sequence[Path]) -> int:
    """The lines of code in these files and folders: neither blank nor comments (or docstrings, in Python)."""
    files = {file for source in sources for file in ([source] if source.is_file() else _files_in(source))}
    return sum(lines_in(file.read_text(), file.suffix) for file in files)


def lines_in(text: str, suffix: str) -> int:
    """The same of the text of a file with this suffix."""
    return len(set(_lines_of_python(text) if suffix == ".py" else _lines(text, COMMENTS[suffix])))


def _files_in(folder: Path) -> Iterator[Path]:
    for file in folder.rglob("*"):
        inner = file.relative_to(folder).parts
        if file.suffix in COMMENTS and not any(part in NOT_OWN or part[0] == "." for part in inner):
            yield file


def _lines(text: str, comment: str) -> Iterator[int]:
    within = False
    for number, line in enumerate(map(str.strip, text.splitlines())):
        if within or line.startswith("/*"):
            within = "*/" not in line
        elif line and not line.startswith(comment):
            yield number


def _lines_of_python(text: str) -> Iterator[int]:
    begins = True
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type in _LAYOUT:
            begins = begins or token.type == tokenize.NEWLINE
        else:
            # A string that a statement begins with is a docstring: nothing else is written so.
            if not (begins and token.type == tokenize.STRING):
                yield from range(token.start[0], token.end[0] + 1)
            begins = False


def _with_version(library: str, sources: Sequence[Path]) -> tuple[str, str]:
    """A library and its version, which may follow its name."""
    name, _, version = library.partition(" ")
    return name, version or _version_of(name, sources)


def _version_of(library: str, sources: Sequence[Path]) -> str:
    """The version of a package of Python, or of one of npm that is installed at or above the sources."""
    with suppress(metadata.PackageNotFoundError):
        return metadata.version(library)
    for folder in (folder for source in sources for folder in (source, *source.parents)):
        with suppress(OSError):
            package = (folder / "node_modules" / library / "package.json").read_bytes()
            return str(msgspec.json.decode(package).get("version", ""))
    return ""
