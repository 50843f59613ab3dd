"""Writes the table of settings into docs/operations.md, from the class that reads them.

python scripts/settings_table.py
"""

from pathlib import Path

import msgspec

from tandem.config import Settings

PAGE = Path(__file__).parents[1] / "docs/operations.md"
BEGIN, END = "<!-- settings: made by `make settings` -->", "<!-- end of settings -->"


def settings_table() -> str:
    """A row for each setting: its name, its default, its bounds, and what it is."""
    properties = msgspec.json.schema(Settings)["$defs"]["Settings"]["properties"]
    rows = [
        f"| `{name}` | {_default(of)} | {_bounds(of)} | {of['description']} |"
        for name, of in properties.items()
    ]
    return "\n".join(("| variable | default | allowed | what it is |", "|---|---|---|---|", *rows))


def with_table(page: str) -> str:
    """The page with the table between its two marks."""
    before, _, rest = page.partition(BEGIN)
    return f"{before}{BEGIN}\n\n{settings_table()}\n\n{END}{rest.partition(END)[2]}"


def _default(of: dict[str, object]) -> str:
    if "default" not in of:
        return "none"
    default = of["default"]
    if default == "":
        return "empty"
    return f"`{str(default).lower() if isinstance(default, bool) else default}`".replace(".0`", "`")


def _bounds(of: dict[str, object]) -> str:
    if "enum" in of:
        return ", ".join(f"`{value}`" for value in of["enum"])
    if of["type"] == "boolean":
        return "`true`, `false`"
    if "maximum" in of:
        least = of["minimum"] if "minimum" in of else f"above {of['exclusiveMinimum']}"
        return f"{least} to {of['maximum']:,}"
    return f"at most {of['maxLength']} characters" if "maxLength" in of else ""


if __name__ == "__main__":
    PAGE.write_text(with_table(PAGE.read_text()))
