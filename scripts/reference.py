"""Writes the pages of docs/reference from the program itself: commands, HTTP interface, settings, batches.

python scripts/reference.py          (`make docs`)
"""

import asyncio
import re
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import click
import msgspec

from tandem.app import Instance, wire
from tandem.app.adapters import adapters_of
from tandem.app.serve import application
from tandem.cli import commands, main
from tandem.config import Settings
from tandem.http.authentication import SameSiteOnly
from tandem.http.requests import RawRequest
from tandem.mongodb.client import open_client
from tandem.postgres.database import Database
from tandem.postgres.sessions import Sessions

FOLDER = Path(__file__).parents[1] / "docs" / "reference"
MADE = "<!-- Made by `make docs`: change the program, not this page. -->"

Json = dict[str, Any]


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """A Markdown table."""
    cells = [[cell.replace("|", "\\|").replace("\n", " ") for cell in row] for row in rows]
    return ["", "|".join(("", *(f" {name} " for name in head), "")), "|---" * len(head) + "|"] + [
        "| " + " | ".join(row) + " |" for row in cells
    ]


def commands_page() -> str:
    """Every command with its options."""
    where = "`TANDEM_DATA_DIR` names the data folder for all of them; `--data-dir` overrules it."
    lines = ["# Commands", MADE, "", f"In a checkout the command is `.venv/bin/tandem`. {where}"]
    context = click.Context(main, info_name="tandem")
    for name in commands():
        command = main.get_command(context, name)
        if command is None:
            continue
        lines += list(_command(command, click.Context(command, info_name=f"tandem {name}"), "##"))
    return "\n".join(lines) + "\n"


def _command(command: click.Command, context: click.Context, level: str) -> Iterator[str]:
    path = context.info_name or ""
    arguments = [each.make_metavar(context) for each in command.params if isinstance(each, click.Argument)]
    yield from ("", f"{level} `{' '.join((path, *arguments))}`", "", _paragraphs(command.help or ""))
    options = [each.get_help_record(context) for each in command.params if isinstance(each, click.Option)]
    shown = [(f"`{record[0]}`", record[1]) for record in options if record]
    if shown:
        yield from table(("option", "what it does"), shown)
    if isinstance(command, click.Group):
        for name, below in command.commands.items():
            yield from _command(below, click.Context(below, info_name=f"{path} {name}"), level + "#")


def _paragraphs(text: str) -> str:
    return "\n\n".join(" ".join(part.split()) for part in re.split(r"\n\s*\n", text.strip()))


def http_page(document: Json) -> str:
    """Every route, from the OpenAPI document."""
    lines = ["# The HTTP interface", MADE, "", "The same as a document for programs: `GET /api-json`."]
    by_tag: dict[str, list[str]] = {}
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            shown = _operation(f"{method.upper()} {path}", operation)
            by_tag.setdefault((operation.get("tags") or ["others"])[0], []).extend(shown)
    for tag, shown in by_tag.items():
        lines += ["", f"## {tag[0].upper()}{tag[1:]}", *shown]
    return "\n".join(lines) + "\n"


def _operation(title: str, operation: Json) -> Iterator[str]:
    parts = (operation["summary"], operation.get("description", ""))
    said = ". ".join(part.rstrip(".") for part in parts if part)
    yield from ("", f"### `{title}`", "", f"{said}.")
    rows = [
        (f"`{each['name']}`", each["in"], _form(each["schema"]), each.get("description", ""))
        for each in operation.get("parameters", ())
    ]
    if rows:
        yield from table(("parameter", "where", "form", "what it is"), rows)
    answers = [
        f"{status} {', '.join(f'`{name}`' for name in response.get('headers', ()))}".strip()
        for status, response in operation["responses"].items()
    ]
    yield from ("", f"Answers: {'; '.join(answers)}.")


def _form(schema: Json) -> str:
    parts = [str(schema.get("type", "text"))]
    if "enum" in schema:
        parts = ["one of " + ", ".join(f"`{value or 'empty'}`" for value in schema["enum"])]
    if "minimum" in schema and "maximum" in schema:
        parts.append(f"{schema['minimum']} to {schema['maximum']:,}")
    if "maxLength" in schema:
        parts.append(f"at most {schema['maxLength']} characters")
    if schema.get("default") not in (None, ""):
        parts.append(f"default {schema['default']}")
    return ", ".join(parts)


def settings_page() -> str:
    """Every setting: its name in the environment, its default, its bounds, and what it is."""
    properties = msgspec.json.schema(Settings)["$defs"]["Settings"]["properties"]
    rows = [(f"`{name}`", _default(of), _bounds(of), of["description"]) for name, of in properties.items()]
    lines = [
        "# Settings",
        MADE,
        "",
        "An instance reads its settings from the environment, and refuses to start with a sentence about the "
        "one that is wrong. `POSTGRES_URL_FILE`, `MONGODB_URL_FILE` and `TRACES_URL_FILE` name files that "
        "hold the value instead, for their owner and group alone.",
        *table(("variable", "default", "allowed", "what it is"), rows),
    ]
    return "\n".join(lines) + "\n"


def _default(of: Json) -> str:
    if "default" not in of:
        return "none"
    default = of["default"]
    if default == "":
        return "empty"
    return f"`{str(default).lower() if isinstance(default, bool) else default}`".replace(".0`", "`")


def _bounds(of: Json) -> str:
    if "enum" in of:
        return ", ".join(f"`{value}`" for value in of["enum"])
    if of["type"] == "boolean":
        return "`true`, `false`"
    if "maximum" in of:
        least = of["minimum"] if "minimum" in of else f"above {of['exclusiveMinimum']}"
        return f"{least} to {of['maximum']:,}"
    return f"at most {of['maxLength']} characters" if "maxLength" in of else ""


def batches_page(instance: Instance) -> str:
    """What is gathered, by the coalescers of an instance with default settings."""
    rows = []
    for coalescer in instance.flow.coalescers:
        how = coalescer.policy
        interval = how.min_interval / timedelta(milliseconds=1)
        rows.append(
            (
                coalescer.name,
                f"{how.max_batch:,}",
                f"{how.max_waiting:,}",
                str(how.max_in_flight),
                f"{interval:g} ms" if interval else "none",
                "yes" if how.retry else "no",
            )
        )
    head = ("what", "in a batch", "may wait", "batches at a time", "least time between", "tried again")
    lines = [
        "# Batches",
        MADE,
        "",
        "What an instance gathers, with default settings. What may not wait any more is refused at once.",
        *table(head, rows),
    ]
    return "\n".join(lines) + "\n"


async def pages() -> dict[str, str]:
    """File name to text. Nothing is asked of any server: the instance is never connected."""
    settings = Settings(
        postgres_url="postgresql://nobody@127.0.0.1:1/none", mongodb_url="mongodb://127.0.0.1:1"
    )
    client = open_client(settings.mongodb_url, name="docs", deadline=timedelta(seconds=1))
    patience = timedelta(seconds=1)
    database = Database(Sessions(settings.postgres_url, {}, patience, size=1), patience)
    instance = wire(settings, adapters_of(settings, database, client))
    answer = await application(instance, SameSiteOnly()).answer(RawRequest("GET", b"/api-json", b"", {}))
    await client.close()
    return {
        "commands.md": commands_page(),
        "http.md": http_page(msgspec.json.decode(answer.body)),
        "settings.md": settings_page(),
        "batches.md": batches_page(instance),
    }


def write(show: Callable[[str], None] = print) -> None:
    """Write all pages."""
    FOLDER.mkdir(exist_ok=True)
    for name, text in asyncio.run(pages()).items():
        (FOLDER / name).write_text(text)
        show(f"docs/reference/{name}")


if __name__ == "__main__":
    write()
