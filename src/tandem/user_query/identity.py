"""Is the document that MongoDB has under a user's id this user's, or somebody else's?

Ids can be given twice: where a standby of PostgreSQL takes over that lagged behind, the users whose commits
it did not have are in MongoDB, and their ids are free again. And anybody may write into MongoDB by hand.
"""

from tandem.mongodb.document import DELETED_AT, Document
from tandem.user.patch import pruned


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


def _content(document: Document) -> Document:
    return {field: value for field, value in pruned(document).items() if field not in _MAY_DIFFER}


_MAY_DIFFER = ("appId", DELETED_AT)
