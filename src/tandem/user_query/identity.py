"""Is the document that MongoDB has under a user's id this user's, or somebody else's?

Ids can be given twice: where a standby of PostgreSQL takes over that lagged behind, the users whose commits
it did not have are in MongoDB, and their ids are free again. And anybody may write into MongoDB by hand.
"""

import hashlib

from bson.raw_bson import RawBSONDocument

from tandem.user.patch import pruned
from tandem.user_query.document import DELETED_AT, Document

CONFLICT = "identity conflict"


def is_somebody_elses(stored: Document, document: Document) -> bool:
    """Whether `stored` is no version of the user whose `document` has the same `_id`.

    At the same version everything must be equal but `appId`, in which programs of the version before put
    another instance, and the time of a tombstone. Objects without any value count as absent. Between
    different versions only the run is known to stay the same.
    """
    version = stored.get("version")
    if not isinstance(version, int):
        return True
    if version == document["version"]:
        return _content(stored) != _content(document)
    return bool(stored.get("seed") != document["seed"])


def fingerprint_of(stored: RawBSONDocument) -> str:
    """A short name for exactly this document, that tells nothing of what is in it."""
    return hashlib.sha256(stored.raw).hexdigest()[:12]


def conflict(user_id: int, fingerprint: str) -> str:
    """Why the user is set aside, and what to do."""
    return (
        f"{CONFLICT}: MongoDB has another user under this id (document {fingerprint}), which was not "
        "touched. If that user is to be kept, create it anew first. Then "
        f"`tandem dead-letters retry {user_id} --replace` writes this user over it."
    )


def fingerprint_in(reason: str) -> str | None:
    """The fingerprint in a reason made by `conflict`; None where it is another reason."""
    if not reason.startswith(f"{CONFLICT}:"):
        return None
    return reason.partition("(document ")[2].partition(")")[0]


def _content(document: Document) -> Document:
    return {field: value for field, value in pruned(document).items() if field not in _MAY_DIFFER}


_MAY_DIFFER = ("appId", DELETED_AT)
