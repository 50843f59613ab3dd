"""Carries out repairs in an instance: each ends when both sides are seen to be equal."""

import logging
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import bson
from bson import json_util

from tandem.delivery.recovery import Flow
from tandem.mongodb.client import LENIENT
from tandem.verification.differences import Difference, Tally, What, id_of_text
from tandem.verification.kinds import VerifiedKind
from tandem.verification.repairs import Claimed, RepairRows
from tandem.verification.verifier import Gaps, Verifier

logger = logging.getLogger(__name__)

MOST_AT_A_TIME = 200
SECONDS_BETWEEN_LOOKS = 1.0
SECONDS_BETWEEN_TRIES = 0.1
SECONDS_BETWEEN_CLEANINGS = 3_600.0
LOST = "PostgreSQL has lost it with a history: see PostgreSQL has lost users in docs/operations.md"


class Repairer:
    """Brings MongoDB's documents back to what the rows say, by the flow that all writes take.

    A wrong document gives way first: its version is taken from it, if it is exactly the one that was seen. So
    the flow writes over it as over any earlier version. A document without a row is kept with the repair, and
    removed. All of it can be repeated, by whichever instance.
    """

    def __init__(
        self,
        rows: RepairRows,
        kinds: Mapping[str, VerifiedKind],
        flows: Mapping[str, Flow[Any]],
        gaps: Callable[[], Awaitable[Gaps]],
    ) -> None:
        """`gaps` answers the ids that lost histories gave."""
        self._rows = rows
        self._kinds = kinds
        self._flows = flows
        self._gaps = gaps
        self._cleaned_at = 0.0
        #: How many this instance has ended.
        self.repaired = 0

    async def run_once(self) -> float:
        """Try what is due; in how many seconds to look again.

        Raises:
            Unavailable: a database does not answer.
        """
        if time.monotonic() - self._cleaned_at > SECONDS_BETWEEN_CLEANINGS:
            await self._rows.forget_documents()
            self._cleaned_at = time.monotonic()
        room = min([MOST_AT_A_TIME, *(flow.room() for flow in self._flows.values())])
        claimed = await self._rows.claim(room, list(self._kinds)) if room > 0 else []
        if not claimed:
            return SECONDS_BETWEEN_LOOKS
        by_kind: defaultdict[str, list[Claimed]] = defaultdict(list)
        for one in claimed:
            by_kind[one.kind].append(one)
        for kind, repairs in by_kind.items():
            await self._try(self._kinds[kind], repairs)
        return SECONDS_BETWEEN_TRIES

    async def _try(self, kind: VerifiedKind, repairs: Sequence[Claimed]) -> None:
        verifier = Verifier(kind, _nobody, await self._gaps())
        numbers = {repair.id: repair.number for repair in repairs}
        ids = {text: id_of_text(text) for text in numbers}
        differences, pending = await verifier.look_again(list(ids.values()), Tally())
        errors: dict[int, str] = {}
        for each in differences:
            if error := await self._heal(kind, each, numbers[each.id]):
                errors[numbers[each.id]] = error
        open_ = {each.id for each in differences} | {text for text, id_ in ids.items() if id_ in pending}
        ended = [number for text, number in numbers.items() if text not in open_]
        await self._rows.fail(errors)
        await self._rows.end(ended)
        self.repaired += len(ended)
        await self._send([int(each.id) for each in differences if each.document is not None], kind)

    async def _heal(self, kind: VerifiedKind, difference: Difference, number: int) -> str:
        """Make way for what is to come. Why that is no use; empty: it is."""
        if difference.what is What.LOST:
            return LOST
        if difference.why_unreadable:
            return difference.why_unreadable
        if difference.stored is None or difference.document is None:
            if difference.stored is not None:
                await self._rows.keep_document(number, _as_json(difference.stored))
                if await kind.documents.remove(difference.stored):
                    logger.warning("A surplus document of %s was removed, as asked for.", kind.plural)
            return ""
        await kind.documents.give_way(difference.stored, difference.document)
        return ""

    async def _send(self, ids: Sequence[int], kind: VerifiedKind) -> None:
        """Send these on their way to MongoDB, as they are now."""
        if not ids:
            return
        for row in await kind.source.rows(ids):
            if row.stored is not None and not row.is_dead_letter:
                self._flows[kind.kind].resume(row.stored)
        logger.info("%d %s are written to MongoDB again, to repair them.", len(ids), kind.plural)


async def _nobody(_: Sequence[Difference]) -> None:
    """Who repairs has no use for being told: it asks."""


def _as_json(stored: bytes) -> str:
    return json_util.dumps(bson.decode(stored, LENIENT), json_options=json_util.CANONICAL_JSON_OPTIONS)
