"""SQL is kept in files, each query with a name and a sentence. Python builds no query from pieces."""

import re
from collections.abc import Mapping
from importlib import resources
from typing import NamedTuple


class Query(NamedTuple):
    """A query of a file, with the name that it has there and in logs."""

    name: str
    sql: str


def load_queries(package: str, file: str, **words: str) -> Mapping[str, Query]:
    """Every query of a package's file, by its name; each begins with a line `-- name: ...`.

    `{word}` in the file is replaced by the one of `words` with that name: a part of a table's name that the
    program knows, never something that a client has sent.

    Raises:
        ValueError: a word is more than lower-case letters, with single underscores between them.
    """
    text = resources.files(package).joinpath(file).read_text("utf-8")
    for word, value in words.items():
        if not re.fullmatch("[a-z]+(_[a-z]+)*", value):
            msg = f"{value!r} cannot stand for {word} in {file}: only lower-case letters can, and _ between."
            raise ValueError(msg)
        text = text.replace(f"{{{word}}}", value)
    parts = re.split(r"^-- name: (\w+)$", text, flags=re.MULTILINE)
    return {name: Query(name, sql.strip()) for name, sql in zip(parts[1::2], parts[2::2], strict=True)}
