"""What a rebuild would change, and how long it would take."""

import time
from collections import Counter
from collections.abc import Mapping
from typing import Any

import bson
import msgspec

from tandem.app.rebuilt import RebuiltKind
from tandem.delivery.source import Chunks
from tandem.mongodb.client import translated
from tandem.mongodb.document import Document, id_of, version_of
from tandem.mongodb.generations import Generation
from tandem.mongodb.stored import opened
from tandem.postgres.database import Database
from tandem.projections.row import ProjectionRow
from tandem.verification.differences import fields_that_differ

SAMPLE = 500
#: Writing a document takes longer than reading its rows, and it is read once more to be verified.
TIMES_READING = 4.0


class Plan(msgspec.Struct, frozen=True, rename="camel"):
    """What a rebuild of one kind would do."""

    plural: str
    #: The collections: the one that is read, and the new one.
    live: str
    new: str
    #: What the other collection is there for, if there is one: "announced", "building" or "previous".
    phase: str
    shape: int
    new_shape: int
    documents: int
    #: What the live collection takes on disk, in bytes, with its indexes.
    live_bytes: int
    #: About how long it would take, if the lag allows it, in seconds.
    about_seconds: float
    #: How many documents were looked at, and how many of them would get, lose or change a field.
    looked_at: int
    added: Mapping[str, int]
    removed: Mapping[str, int]
    changed: Mapping[str, int]


async def plan_of(database: Database, kind: RebuiltKind, pace: float | None) -> Plan:
    """What a rebuild would do, by some rows that are there.

    Raises:
        Unavailable: a database does not answer.
    """
    row = await ProjectionRow(database, kind.kind, kind.collections).read()
    projection = row.projection
    began = time.monotonic()
    generation = row.built or Generation(row.highest + 1, kind.shape)
    wanted = kind.of(generation)
    page = await wanted.source.page(0, SAMPLE)
    rows = [one for one in page.rows if one.stored is not None and not one.is_dead_letter]
    made = await wanted.documents_of([one.stored for one in rows])
    new = {one["_id"]: opened(bson.encode(one)) for one in made if not isinstance(one, str)}
    each = (time.monotonic() - began) / max(1, len(rows)) * TIMES_READING
    live = kind.collections.live
    with translated(kind.plural):
        stored = {id_of(one): one for one in await live.find({"_id": {"$in": list(new)}}).to_list(None)}
        size = await live.database.command("collStats", live.name)
    added, removed, changed = _fields(stored, new)
    documents = await Chunks(database, kind.kind, SAMPLE).about_how_many() or len(page.rows)
    return Plan(
        kind.plural,
        projection.live.collection(kind.plural),
        generation.collection(kind.plural),
        row.phase,
        projection.live.shape,
        kind.shape,
        documents,
        int(size.get("totalSize", 0)),
        round(documents * max(each, 1 / pace if pace else 0.0), 1),
        len(stored),
        added,
        removed,
        changed,
    )


def _fields(
    stored: Mapping[int, Document], new: Mapping[int, Document]
) -> tuple[dict[str, int], dict[str, int], dict[str, int]]:
    """How often which field would be added, removed, and changed, in documents of one version."""
    added, removed, changed = Counter[str](), Counter[str](), Counter[str]()
    for id_, document in stored.items():
        if version_of(document) != version_of(new[id_]):
            continue
        for path in fields_that_differ(document, new[id_]):
            if path == "deletedAt":
                continue
            here, there = _has(document, path), _has(new[id_], path)
            (changed if here and there else removed if here else added)[path] += 1
    return dict(added), dict(removed), dict(changed)


def _has(document: Any, path: str) -> bool:
    for name in path.split("."):
        if not isinstance(document, dict) or name not in document:
            return False
        document = document[name]
    return True
