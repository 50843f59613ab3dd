"""Idempotency keys whose slot has come to this cell from another: still none of them creates two.

When cells are added or drained, slots of keys move. A key that is sent again may then have been carried out
by a cell that had its slot before, or may just be on its way there. So before this cell carries out a command
with a key, it *claims* the key at each earlier owner: it puts the key into that one's table of keys, with its
own number. Either the key is there already, and what it stands for is the answer. Or from now on it is taken
there, and a late command with it finds that and is refused. Nobody waits for anybody, whatever is in flight.

A slot may come back, so a claim says by which move of the slot its cell had got it. A later owner's claim
takes the place of an earlier one's, never the other way round; and a cell takes away what earlier moves have
left in its own table, once it has claimed the key everywhere. A cell that a client names for a command may
have the key without its slot: it claims it at all who had the slot, for ever, and takes nobody's place.

Why no two cells carry out one key: let one have the slot by an earlier move than the other. The later one
claimed the key at the earlier one before it did anything. If the earlier one had carried it out by then, that
was the answer. If not, the claim is in its way for ever: only an owner by a still later move takes it away,
and that one has claimed the key at both.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import timedelta
from functools import partial
from typing import Generic, TypeVar

import msgspec

from tandem.delivery.held_keys import SAME_KEY, HeldKeys
from tandem.delivery.idempotency import HeldUp, Idempotency, Known, StillOpen, keys_of, replayed
from tandem.delivery.placement import NO_SLOT, Ownership, Placement
from tandem.delivery.queries import queries_of
from tandem.kernel import BatchPolicy, Coalescer, Unavailable
from tandem.kernel.cells import OtherCell
from tandem.postgres.database import Database
from tandem.postgres.queries import Query

R = TypeVar("R")

#: How long another cell's PostgreSQL has to answer.
PATIENCE = timedelta(seconds=2)
POLICY = BatchPolicy(max_batch=500, max_waiting=5_000, max_in_flight=2)


class Claim(msgspec.Struct, frozen=True):
    """A key, and by which move this cell had got its slot."""

    idempotency: Idempotency
    move: int


class KeyTable(Generic[R]):
    """A cell's table of keys, of one kind of command.

    Args:
        database: the cell's PostgreSQL.
        kind: of what the commands create.
        find_held: the query that answers which of the keys it is given are held by open transactions.
        find: what earlier commands with these keys have got there; a claimed one stands for `OtherCell`.
    """

    def __init__(
        self,
        database: Database,
        kind: str,
        find_held: Query,
        find: Callable[[Sequence[str]], Awaitable[Mapping[str, Known[R]]]],
    ) -> None:
        self.kind = kind
        self.find = find
        self._database = database
        self._held = HeldKeys(database, find_held)
        self._queries = queries_of(kind)

    async def claim(self, claims: Sequence[Claim], cell: int) -> None:
        """Take those keys for that cell which stand for nothing yet.

        Raises:
            HeldUp: open transactions have some of them; nothing was done.
            Unavailable: PostgreSQL does not answer.
        """
        async with self._held.waiting_briefly(claims) as limit:
            query = self._queries["claim_keys"]
            await self._database.fetch(query, *_columns(claims), cell, limit, within=PATIENCE)

    async def release(self, claims: Sequence[Claim]) -> None:
        """Take away what other cells have claimed of these keys by earlier moves.

        Raises:
            Unavailable: PostgreSQL does not answer.
        """
        await self._database.fetch(self._queries["release_keys"], *_columns(claims), within=PATIENCE)


def _columns(claims: Sequence[Claim]) -> tuple[list[str], list[int]]:
    """The keys and their moves: each once, the latest, in an order that is the same for all batches."""
    moves: dict[str, int] = {}
    for claim in claims:
        key = claim.idempotency.key
        moves[key] = max(claim.move, moves.get(key, 0))
    keys = sorted(moves)
    return keys, [moves[key] for key in keys]


class MovedKeys(Generic[R]):
    """Carries out commands with keys once, whichever cells have had the keys' slots.

    Args:
        placement: says which cells those are.
        own: this cell's table of keys.
        other: that of another cell, by its number; raises `Unavailable` where it cannot be reached.
        replay: makes of what a command has got what a later one with its key gets.
    """

    def __init__(
        self,
        placement: Placement,
        own: KeyTable[R],
        other: Callable[[int], KeyTable[R]],
        replay: Callable[[R], R],
    ) -> None:
        self._placement = placement
        self._own = own
        self._other = other
        self._replay = replay
        self._claims: dict[int, Coalescer[Claim, Known[R] | None]] = {}
        self._releases: Coalescer[Claim, None] = Coalescer(
            f"release keys of {own.kind}", self._release, POLICY
        )

    async def once(
        self, key: Idempotency | None, carry_out: Callable[[], Awaitable[R]], *, is_named: bool = False
    ) -> R:
        """Carry out a command with this key, unless a cell has that had its slot before.

        `is_named`: the client has named this cell for it, whoever has the slot.

        Raises:
            OtherCell: the key's slot is another cell's, or another cell has claimed it by a later move.
            KeyReused: it was another command.
            StillOpen: another transaction has it in hand.
            Unavailable: the PostgreSQL of such a cell does not answer.
            Exception: as `carry_out`, or as the command has got there.
        """
        if key is None:
            return await carry_out()
        ownership = self._placement.ownership(key.key, is_named=is_named)
        if (earlier := await self._earlier(Claim(key, ownership.move), ownership)) is not None:
            return earlier
        try:
            return await carry_out()
        except OtherCell as error:
            if error.number not in ownership.earlier or ownership.move == NO_SLOT:
                raise
            # By an instance that does not know of the last move yet, and will not get far with it.
            raise StillOpen(f"Cell {error.number} has just claimed this key.") from error

    async def _earlier(self, claim: Claim, ownership: Ownership) -> R | None:
        """What it has got there; None: nothing, and nobody but this cell carries it out from now on."""
        for number in ownership.earlier:
            known = await self._claims_in(number).submit(claim)
            if known is not None:
                result = replayed(known, claim.idempotency, self._replay)
                if isinstance(result, Exception):
                    raise result
                return result
        if ownership.had_it_before:
            await self._releases.submit(claim)
        return None

    def _claims_in(self, number: int) -> Coalescer[Claim, Known[R] | None]:
        """Gathers what is claimed in that cell."""
        if number not in self._claims:
            name = f"claim keys of {self._own.kind} in cell {number}"
            self._claims[number] = Coalescer(name, partial(self._claim, number), POLICY)
        return self._claims[number]

    async def _claim(self, number: int, claims: Sequence[Claim]) -> Sequence[Known[R] | Exception | None]:
        """What each key stands for in that cell; None: it is this cell's now."""
        table = self._other(number)
        held: set[str] = set()
        while rest := [claim for claim in claims if claim.idempotency.key not in held]:
            try:
                await table.claim(rest, self._placement.cell)
                break
            except HeldUp as error:
                held.update(keys_of(error.commands))
        found = await table.find(sorted({claim.idempotency.key for claim in rest}))
        return [
            StillOpen(f"Another transaction has not ended yet that {SAME_KEY}.")
            if claim.idempotency.key in held
            else self._unless_ours(found.get(claim.idempotency.key))
            for claim in claims
        ]

    def _unless_ours(self, known: Known[R] | None) -> Known[R] | Exception | None:
        if known is None:
            return Unavailable("PostgreSQL has lost a key that was claimed just now")
        is_ours = isinstance(known.result, OtherCell) and known.result.number == self._placement.cell
        return None if is_ours else known

    async def _release(self, claims: Sequence[Claim]) -> Sequence[None]:
        await self._own.release(claims)
        return [None] * len(claims)
