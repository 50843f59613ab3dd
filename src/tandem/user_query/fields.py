"""Which fields of a user a reader wants to see: `fields=name.first,email`.

MongoDB sends what those who are asked together want, so each answer is narrowed to what its reader wants.
"""

from collections.abc import Iterable
from functools import lru_cache, reduce
from typing import Any, TypeAlias

import msgspec
from msgspec import UNSET, UnsetType

from tandem.http.problems import bad_parameter
from tandem.mongodb.document import DELETED_AT, Document, encode_document
from tandem.user.profile import Email, IdentifiedProfile

#: Names, and what is wanted below each: nothing named there stands for all of it.
Tree: TypeAlias = dict[str, Any]

# Every answer has the first two. Tombstones are known by the third one.
_ALWAYS = ("_id", "version")
_READ_ALWAYS = (*_ALWAYS, DELETED_AT)


class UserDocument(IdentifiedProfile, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    """A user as the read side answers it: who it is, then its profile in the shape of randomuser.me 1.4.

    All but the id and the version may be missing, where a reader has asked for other fields.
    """

    email: Email | UnsetType = UNSET  # type: ignore[assignment]
    seed: str | UnsetType = UNSET  # type: ignore[assignment]
    app_id: str | UnsetType = msgspec.field(name="appId", default=UNSET)  # type: ignore[assignment]
    current_status: str | UnsetType = msgspec.field(name="currentStatus", default=UNSET)


class Fields:
    """Some fields of a user, and always its id and version."""

    __slots__ = ("tree",)

    def __init__(self, tree: Tree) -> None:
        self.tree = tree


@lru_cache(maxsize=256)
def fields_named(names: str | None) -> Fields | None:
    """The fields of these names, with commas between; None: all of them.

    Raises:
        ProblemError: 400, a user has no such field.
    """
    if names is None:
        return None
    tree: Tree = {name: {} for name in _ALWAYS}
    for name in names.split(","):
        known, path = _KNOWN, name.split(".")
        for part in path:
            if part not in known:
                raise bad_parameter("fields", f"names {name!r}, which is no field of a user")
            known = known[part]
        _add(reduce(lambda below, part: {part: below}, reversed(path), {}), tree)
    return Fields(tree)


def projection_of(wanted: Iterable[Fields | None], *more: str) -> dict[str, Any] | None:
    """What MongoDB has to send to these readers, with `more` fields; None: whole documents."""
    together: Tree = {name: {} for name in (*_READ_ALWAYS, *more)}
    for fields in set(wanted):
        if fields is None:
            return None
        _add(fields.tree, together)
    return _as_projection(together)


def encode(document: Document, fields: Fields | None = None) -> bytes:
    """What its reader wants of a document, as JSON; None: all of it."""
    return encode_document(document if fields is None else _narrowed(document, fields.tree))


def _add(more: Tree, tree: Tree) -> None:
    for name, below in more.items():
        if below and tree.get(name) != {}:
            _add(below, tree.setdefault(name, {}))
        else:
            tree[name] = {}


def _as_projection(tree: Tree) -> dict[str, Any]:
    return {name: _as_projection(below) if below else True for name, below in tree.items()}


def _narrowed(document: Document, tree: Tree) -> Document:
    narrowed = {}
    for name, value in document.items():
        below = tree.get(name)
        if below is None:
            continue
        if not below:
            narrowed[name] = value
        elif isinstance(value, dict) and (part := _narrowed(value, below)):
            narrowed[name] = part
    return narrowed


def _known_of(type_: msgspec.inspect.Type) -> Tree:
    """The names of a struct's fields, and of those below them."""
    kinds = type_.types if isinstance(type_, msgspec.inspect.UnionType) else (type_,)
    structs = [kind for kind in kinds if isinstance(kind, msgspec.inspect.StructType)]
    return {field.encode_name: _known_of(field.type) for struct in structs for field in struct.fields}


_KNOWN = _known_of(msgspec.inspect.type_info(UserDocument))
