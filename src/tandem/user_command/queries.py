"""The queries of `queries.sql`, by their names."""

import re
from importlib import resources


def load_queries() -> dict[str, str]:
    """Name to SQL of every query in `queries.sql`; each begins with a line `-- name: ...`."""
    text = resources.files(__package__).joinpath("queries.sql").read_text("utf-8")
    parts = re.split(r"^-- name: (\w+)$", text, flags=re.MULTILINE)
    return {name: sql.strip() for name, sql in zip(parts[1::2], parts[2::2], strict=True)}


QUERIES = load_queries()
