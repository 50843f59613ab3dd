"""SQL lies in files, a query under a name and a sentence, and Python builds none from pieces."""

import re
from collections.abc import Mapping
from importlib import resources
from typing import NamedTuple


class Query(NamedTuple):
    """A query of a file, and the name that it has there, which logs say."""

    name: str
    sql: str


def load_queries(package: str, file: str, **words: str) -> Mapping[str, Query]:
    """Every query of a package's file, by its name; each begins with a line `-- name: ...`.

    Where the file says `{word}`, it is given as one of `words`: a part of names that the program knows, never
    what somebody has sent.

    Raises:
        ValueError: a word is more than lower-case letters.
    """
    text = resources.files(package).joinpath(file).read_text("utf-8")
    for word, value in words.items():
        if not re.fullmatch("[a-z]+", value):
            msg = f"{value!r} cannot stand for {word} in {file}: only lower-case letters can."
            raise ValueError(msg)
        text = text.replace(f"{{{word}}}", value)
    parts = re.split(r"^-- name: (\w+)$", text, flags=re.MULTILINE)
    return {name: Query(name, sql.strip()) for name, sql in zip(parts[1::2], parts[2::2], strict=True)}
