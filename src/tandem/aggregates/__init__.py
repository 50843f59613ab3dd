"""Aggregates of your own, on the same flow, delivery and proof as users.

This is the whole interface: what is named here stays as the changelog says, and all else may change.
`docs/your-own-aggregate.md` builds an aggregate with it, and `tandem.testing` helps to test one.
"""

from tandem.aggregates.definition import Aggregate, Happened, Reach, Reaction, Related, Trial
from tandem.delivery.rejections import Rejection
from tandem.ids import Id
from tandem.user import Profile
from tandem.user.profile import Text

__all__ = [
    "Aggregate",
    "Happened",
    "Id",
    "Profile",
    "Reach",
    "Reaction",
    "Rejection",
    "Related",
    "Text",
    "Trial",
]
