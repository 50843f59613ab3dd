"""What this instance has committed since it began: plain sums, which the metrics show."""

from collections.abc import Iterable

from tandem.cqrs.user import UserEvent, UserUpdated
from tandem.delivery.endings import BUCKET_GROWTH
from tandem.histogram import Histogram

# Upper bounds of lags, in seconds.
_LAGS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 3600.0)


class StageCounters:
    """Users by what was committed of them."""

    def __init__(self) -> None:
        self.created = 0
        self.updated = 0
        self.deleted = 0
        self.synchronized = 0
        #: Those among the synchronized that another instance had created.
        self.taken_over = 0
        #: The lag of the synchronized, in seconds, by PostgreSQL's clock.
        self.lag = Histogram(_LAGS)

    def count_changes(self, events: Iterable[UserEvent]) -> None:
        """Count what was committed of users that were there before. An erasure counts as a deletion."""
        for event in events:
            if isinstance(event, UserUpdated):
                self.updated += 1
            else:
                self.deleted += 1

    def count_synchronized(self, bucket: int, users: int, taken_over: bool) -> None:
        """Count users with a lag in this bucket of `prm_user_lag`: at its upper end, 10 % long at most."""
        self.synchronized += users
        self.taken_over += users if taken_over else 0
        self.lag.observe(BUCKET_GROWTH**bucket / 1000, users)
