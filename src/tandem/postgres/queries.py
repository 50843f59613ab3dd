"""SQL lies in files, a query under a name and a sentence, and Python builds none from pieces."""

import re
from collections.abc import Mapping
from importlib import resources
from typing import NamedTuple


class Query(NamedTuple):
    """A query of a file, and the name that it has there, which logs say."""

    name: str
    sql: str


def load_queries(package: str, file: str) -> Mapping[str, Query]:
    """Every query of a package's file, by its name; each begins with a line `-- name: ...`."""
    text = resources.files(package).joinpath(file).read_text("utf-8")
    parts = re.split(r"^-- name: (\w+)$", text, flags=re.MULTILINE)
    return {name: Query(name, sql.strip()) for name, sql in zip(parts[1::2], parts[2::2], strict=True)}
