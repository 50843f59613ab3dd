"""The document of a user: one pure function, for the fast path and for recovery alike."""

from typing import Any

import msgspec

from tandem.user import StoredUser

Document = dict[str, Any]


def document_of(user: StoredUser, app_id: str) -> Document:
    """What MongoDB holds of `user`: who it is, then its profile in the shape of randomuser.me 1.4.

    `_id` is the user's id, which makes writing it a second time harmless. (`id` is the person's national
    identity, as in the API.) `app_id` is the instance that projects. The status is SYNCRONIZED from the
    document's only write; that PostgreSQL knows of it is recorded there.
    """
    return {
        "_id": user.id,
        "seed": user.seed,
        "appId": app_id,
        "currentStatus": "SYNCRONIZED",
        "version": user.version,
        **msgspec.to_builtins(user.profile),
    }
