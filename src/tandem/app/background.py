"""What runs in the background of an instance: loops that no error ends."""

import asyncio
import logging
from typing import TYPE_CHECKING

from tandem.aggregates.flow import AggregateFlow
from tandem.app.flow import UserFlow
from tandem.delivery.lease import SECONDS_BETWEEN_RENEWALS
from tandem.delivery.recovery import SECONDS_BETWEEN_LOOKS
from tandem.histogram import Histogram
from tandem.kernel import keep_running
from tandem.observability.loop_delay import measure_loop_delay
from tandem.runs.in_flight import ClaimedUsers, in_flight_by_run
from tandem.runs.samples import RunInFlight

if TYPE_CHECKING:
    from tandem.app.bootstrap import Instance

logger = logging.getLogger(__name__)

SECONDS_BETWEEN_LOOKS_AT_INDEXES = 5.0
# A partition of the log has 5 million ids, and one is always ahead.
SECONDS_BETWEEN_LOOKS_AT_LOG = 30.0


class Background:
    """Lease, recovery, and whoever looks at a database now and then."""

    def __init__(self, instance: "Instance") -> None:
        self._instance = instance
        self.loop_delays = Histogram()
        #: What MongoDB's collection lacks, in a sentence, and what to do; empty: nothing.
        self.missing_indexes = ""
        # Where documents go, and why they cannot, as it was logged last.
        self._said: tuple[list[str], str] | None = None

    async def run(self) -> None:
        """All loops, for ever."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(keep_running("lease", self.renew_lease))
            tasks.create_task(keep_running("standby", self._look_at_standby))
            tasks.create_task(keep_running("recovery", self._recover))
            if self._instance.own.flows:
                tasks.create_task(keep_running("recovery of aggregates", self._recover_own))
                tasks.create_task(keep_running("reactions", self._react))
            tasks.create_task(keep_running("indexes", self._look_at_indexes))
            tasks.create_task(keep_running("repairs", self._repair))
            tasks.create_task(keep_running("scrubber", self._scrub))
            tasks.create_task(keep_running("log", self._extend_log))
            tasks.create_task(keep_running("history", self._instance.adapters.history.look_again))
            tasks.create_task(keep_running("feed", self._instance.cells.own.following.run_once))
            tasks.create_task(keep_running("cells", self._instance.cells.run_once))
            for kind, feed in self._instance.feeds.items():
                tasks.create_task(keep_running(f"live view of {kind}", feed.run_once))
            tasks.create_task(measure_loop_delay(self.loop_delays))

    async def renew_lease(self) -> float:
        """Renew the lease, publish what is in flight, and learn whether users can be created again."""
        flow, own, adapters = self._instance.flow, self._instance.own, self._instance.adapters
        waiting = flow.creates.waiting + sum(each.creates.waiting for each in own.flows.values())
        in_flight = self._in_flight(flow, flow.claimed_users)
        of_others = {kind: self._in_flight(each, own.claimed[kind]) for kind, each in own.flows.items()}
        ready = self._instance.why_not_ready is None
        if adapters.projections.trouble:
            # Others have to take what is pending here.
            await adapters.lease.end()
            adapters.lease.trouble = adapters.projections.trouble.rstrip(".")
            await self._follow_projections()
            return SECONDS_BETWEEN_RENEWALS
        await adapters.lease.renew(waiting, in_flight, of_others, ready=ready)
        if adapters.lease.held and adapters.lease.latest_epoch != adapters.lease.epoch:
            await self._follow_projections()
        await flow.command_service.look_for_ids()
        await adapters.users.try_creating(adapters.lease.incarnation)
        return SECONDS_BETWEEN_RENEWALS

    async def _follow_projections(self) -> None:
        """Learn where documents are to be written from now on; the next renewal tells others of it."""
        projections, lease = self._instance.adapters.projections, self._instance.adapters.lease
        lease.epoch = await projections.follow()
        names = [name for each in projections.collections.values() for name in each.names]
        if (said := (names, projections.trouble)) != self._said:
            self._said = said
            logger.info("Epoch %d: documents go to %s.", lease.epoch, ", ".join(names))
            if projections.trouble:
                logger.error("%s Its work is left to others.", projections.trouble)

    def _in_flight(self, flow: UserFlow | AggregateFlow, claimed: ClaimedUsers) -> dict[str, RunInFlight]:
        creating, writing_back = flow.creates.in_flight(), flow.write_back.in_flight()
        return in_flight_by_run(creating, writing_back, claimed.by_run, self._instance.settings.app_id)

    async def _look_at_indexes(self) -> float:
        """Somebody may drop the collection; MongoDB makes a new one with the next write, without indexes."""
        missing = await self._instance.adapters.missing_indexes()
        if missing:
            missing += (
                ", which `tandem migrate` makes again. Was the collection dropped, its users are to be sent "
                "again: see Backup and restore in docs/operations.md."
            )
        if missing != self.missing_indexes:
            logger.log(logging.ERROR if missing else logging.INFO, "%s", missing or "All indexes are there.")
        self.missing_indexes = missing
        return SECONDS_BETWEEN_LOOKS_AT_INDEXES

    async def _look_at_standby(self) -> float:
        await self._instance.adapters.database.look_at_standby()
        return SECONDS_BETWEEN_LOOKS

    async def _extend_log(self) -> float:
        await self._instance.adapters.users.extend_log()
        return SECONDS_BETWEEN_LOOKS_AT_LOG

    @property
    def _claims_nothing(self) -> bool:
        return self._instance.draining or bool(self._instance.adapters.projections.trouble)

    async def _recover(self) -> float:
        # A draining instance claims nothing new, or it might never finish.
        if self._claims_nothing:
            return SECONDS_BETWEEN_LOOKS
        return await self._instance.flow.recovery.run_once()

    async def _recover_own(self) -> float:
        return SECONDS_BETWEEN_LOOKS if self._claims_nothing else await self._instance.own.recover()

    async def _react(self) -> float:
        if self._instance.draining:
            return SECONDS_BETWEEN_LOOKS
        return await self._instance.own.reactions.run_once()

    async def _repair(self) -> float:
        return SECONDS_BETWEEN_LOOKS if self._claims_nothing else await self._instance.repairer.run_once()

    async def _scrub(self) -> float:
        if self._instance.why_not_ready is not None:
            return SECONDS_BETWEEN_LOOKS
        return await self._instance.scrubber.run_once()
