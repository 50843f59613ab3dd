"""What is said where MongoDB has another one's document under an id, and that document's short name."""

import hashlib

from bson.raw_bson import RawBSONDocument

CONFLICT = "identity conflict"


def fingerprint_of(stored: RawBSONDocument) -> str:
    """A short name for exactly this document, that tells nothing of what is in it."""
    return hashlib.sha256(stored.raw).hexdigest()[:12]


def conflict(what: str, id_: int, fingerprint: str, many: str = "users") -> str:
    """Why one is set aside, and what to do.

    `what` it is, and what `many` are: words for its kind, such as "user" and "users".
    """
    option = "" if many == "users" else f" --aggregate {many}"
    return (
        f"{CONFLICT}: MongoDB has another {what} under this id (document {fingerprint}), which was not "
        f"touched. If that {what} is to be kept, create it anew first. Then "
        f"`tandem dead-letters retry {id_}{option} --replace` writes this {what} over it."
    )


def fingerprint_in(reason: str) -> str | None:
    """The fingerprint in a reason made by `conflict`; None where it is another reason."""
    if not reason.startswith(f"{CONFLICT}:"):
        return None
    return reason.partition("(document ")[2].partition(")")[0]
