"""The lease: how an instance shows that it lives, by PostgreSQL's clock alone."""

import logging
from collections.abc import Mapping, Sequence
from datetime import timedelta
from types import MappingProxyType

import asyncpg
import msgspec

from tandem.delivery.queries import LEASE_QUERIES
from tandem.kernel import Unavailable
from tandem.kernel.clock import uptime
from tandem.postgres.database import Database
from tandem.postgres.faults import state_of

logger = logging.getLogger(__name__)

SECONDS_BETWEEN_RENEWALS = 1.0


class Lease:
    """One life of this instance. Pending rows carry its `incarnation`; when it ends, others take them."""

    def __init__(
        self,
        database: Database,
        app_id: str,
        duration: timedelta,
        shapes: Mapping[str, int] = MappingProxyType({}),
    ) -> None:
        """`shapes` are the latest of each kind's documents that this program knows, for others to read."""
        self._database = database
        self._app_id = app_id
        self._seconds = duration.total_seconds()
        self._shapes = msgspec.json.encode(dict(shapes)).decode()
        #: The epoch of projections that this life follows, which it tells to others.
        self.epoch = 0
        #: The epoch that there was at the last renewal.
        self.latest_epoch = 0
        # Until when, by `uptime`, no other can have taken this life for ended.
        self._lasts_until = 0.0
        self.incarnation = 0
        #: Whether PostgreSQL answered the last renewal.
        self.held = False
        #: Why it did not, in a sentence without full stop that anybody may read.
        self.trouble = "PostgreSQL does not answer"
        # When no answer comes, this is noticed, and told by `/health/ready`, before the lease runs out and
        # others take this instance's work.
        self._patience = 0.75 * (duration - timedelta(seconds=SECONDS_BETWEEN_RENEWALS))

    async def begin(self, within: timedelta | None = None) -> None:
        """Register this life.

        Raises:
            Unavailable: PostgreSQL does not answer.
        """
        asked_at, self.epoch = uptime(), 0
        rows = await self._database.fetch(
            LEASE_QUERIES["register_instance"], self._app_id, self._seconds, self._shapes, within=within
        )
        self.incarnation = rows[0]["incarnation"]
        self._note(rows, asked_at)
        self.held = True

    @property
    def is_current(self) -> bool:
        """Whether nobody can have taken this life for ended, or for one that follows a later epoch.

        That is so however long this process was frozen.
        """
        return self.epoch == self.latest_epoch and uptime() < self._lasts_until

    def _note(self, rows: Sequence[asyncpg.Record], asked_at: float) -> None:
        self._lasts_until = asked_at + self._seconds
        self.latest_epoch = rows[0]["epoch"]

    async def renew(
        self,
        waiting: int,
        in_flight: Mapping[str, object],
        in_flight_of: Mapping[str, Mapping[str, object]],
        *,
        ready: bool,
    ) -> None:
        """Prolong the lease, and tell how many commands wait here, what is in flight, and if we are ready.

        `in_flight` and, of further kinds of work by their names, `in_flight_of` are whatever others shall
        read of this life; they are stored as JSON, and not looked at.
        Without PostgreSQL it is not held; the next renewal may have it back. Who was frozen for so long that
        its row was cleared away begins a new life.
        """
        try:
            told = [msgspec.json.encode(each).decode() for each in (in_flight, in_flight_of)]
            state = (self._seconds, waiting, ready, *told, self._app_id, self.epoch)
            asked_at = uptime()
            rows = await self._database.fetch(
                LEASE_QUERIES["renew_lease"], self.incarnation, *state, within=self._patience
            )
            if rows:
                self._note(rows, asked_at)
            else:
                await self.begin(self._patience)
                logger.warning("The lease of %s ended long ago; it begins a new life.", self._app_id)
        except Unavailable as error:
            if self.held:
                logger.warning("The lease of %s cannot be renewed: %s", self._app_id, error)
            self.held = False
            self.trouble = state_of(error.__cause__)
            if isinstance(error.__cause__, TimeoutError):
                # Where one connection is silent, so are the others: find that out now, not one by one.
                self._database.end_sessions()
        else:
            if not self.held:
                logger.info("The lease of %s is renewed again.", self._app_id)
            self.held = True

    async def end(self) -> None:
        """Give the lease back, so that nobody has to wait for it to run out."""
        self.held, self._lasts_until = False, 0.0
        try:
            await self._database.fetch(LEASE_QUERIES["end_lease"], self.incarnation)
        except Unavailable as error:
            logger.warning("The lease of %s could not be ended and will run out: %s", self._app_id, error)
