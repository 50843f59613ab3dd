"""`tandem rebuild`: a new collection is built beside the live one, and takes its place."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Protocol

from tandem.app.rebuilt import RebuiltKind
from tandem.delivery.source import Chunks
from tandem.ids import HIGHEST_ID
from tandem.mongodb.client import translated
from tandem.mongodb.generations import Generation
from tandem.postgres.database import Database
from tandem.projections.copying import Copier, patiently
from tandem.projections.pace import Pace
from tandem.projections.row import ProjectionRow, RebuildError, Row
from tandem.verification.differences import Difference, Tally, What, id_of_text
from tandem.verification.verifier import Verifier
from tandem.verification.whole import ROWS_A_CHUNK

#: How often what verification finds is copied again.
MOST_ROUNDS = 5
#: Differences that are mended one by one; more of them mean that something is wrong.
MOST_MENDED = 10_000


class Shown(Protocol):
    """Where a rebuild says how far it is."""

    def say(self, text: str) -> None:
        """Say one sentence."""

    def advance(self, what: str, done: int, total: int, pace: Pace) -> None:
        """Show that so many of about `total` are done."""


class Rebuild:
    """Builds, switches, goes back and drops, for one kind.

    Args:
        database: as the owner.
        kind: what is rebuilt.
        pace: holds it back.
        shown: where it says how far it is.
        is_alone_no_more: whether another rebuild may have begun meanwhile (`sole_rebuild`).
    """

    def __init__(
        self,
        database: Database,
        kind: RebuiltKind,
        pace: Pace,
        shown: Shown,
        is_alone_no_more: Callable[[], bool] = lambda: False,
    ) -> None:
        self._chunks = Chunks(database, kind.kind, ROWS_A_CHUNK)
        self._kind = kind
        self._pace = pace
        self._shown = shown
        self._is_alone_no_more = is_alone_no_more
        self.row = ProjectionRow(database, kind.kind, kind.collections)

    async def run(self) -> Row:
        """Build what is not built yet, verify it, and switch; an interrupted one goes on.

        Raises:
            RebuildError: it cannot go on; says what to do.
            Unavailable: a database is away for long. Run again, it goes on.
        """
        row = await self.row.read()
        if row.phase == "previous":
            msg = (
                f"The collection before the last rebuild, {self._name(row.projection.other)}, is still kept. "
                "Remove it with `tandem rebuild --drop` first, or go back to it with --back."
            )
            raise RebuildError(msg)
        if row.built is None:
            row = await self._announce(row)
        if row.built is not None and row.built.shape != self._kind.shape:
            msg = (
                f"A rebuild with shape {row.built.shape} was begun, and this program makes shape "
                f"{self._kind.shape}. Give that one up with `tandem rebuild --drop`, then run this again."
            )
            raise RebuildError(msg)
        if row.phase == "announced":
            await self.row.until_followed(self._shown.say)
            row = await self.row.change("require")
        copier = self._copier(row)
        await self._copy(copier, row.copied_through)
        await self._verify(copier)
        return await self._switch(row, "building")

    async def back(self) -> Row:
        """Read the collection from before the last switch again, which has had every write since.

        Raises:
            RebuildError: there is none.
        """
        row = await self.row.read()
        if row.phase != "previous":
            msg = f"There is no collection of {self._kind.plural} to go back to."
            raise RebuildError(msg)
        return await self._switch(row, "previous")

    async def drop(self) -> Row:
        """Remove the collection that is not read, or what an unfinished rebuild has made.

        Raises:
            RebuildError: there is none.
        """
        row = await self.row.read()
        # Whoever has not heard of the switch would read what is dropped.
        await self.row.until_followed(self._shown.say)
        if row.projection.other is not None:
            row = await self.row.change("remove")
            await self.row.until_followed(self._shown.say)
        await self.row.write_copy()
        await self.row.until_others_follow()
        dropped = [name for number in range(1, row.highest + 1) if (name := await self._dropped(number, row))]
        # A batch that was on its way may have made it again.
        for number in range(1, row.highest + 1):
            await self._dropped(number, row)
        if not dropped:
            msg = f"There is no collection of {self._kind.plural} to drop."
            raise RebuildError(msg)
        self._shown.say(f"Dropped {', '.join(dropped)}.")
        return row

    async def _announce(self, row: Row) -> Row:
        """Make the collection, and have all documents written to it."""
        await self.row.require_known(self._kind.shape)
        generation = Generation(row.highest + 1, self._kind.shape)
        collection = self._kind.collections.of(generation)
        with translated(self._kind.plural):
            await collection.drop()  # what is left of one that was not announced
            await collection.create_indexes(self._kind.indexes)
        self._shown.say(f"Building {self._name(generation)}.")
        return await self.row.change("announce", self._kind.shape)

    def _copier(self, row: Row) -> Copier:
        assert row.built is not None  # noqa: S101 - narrows the type
        return Copier(
            kind=self._kind.of(row.built),
            documents=self._kind.documents,
            generation=row.built,
            pace=self._pace,
        )

    async def _copy(self, copier: Copier, after: int) -> None:
        done, total = 0, await self._chunks.about_how_many() or 0
        while after < HIGHEST_ID:
            rows, through = await patiently(partial(copier.copy_page, after))
            await patiently(partial(self.row.note_copied, through))
            done, after = done + rows, through
            self._shown.advance("copied", done, max(total, done), self._pace)

    async def _verify(self, copier: Copier) -> None:
        """Compare rows with the new collection until nothing is different.

        Raises:
            RebuildError: something stays different.
        """
        differences = await self._differences(copier)
        for _ in range(MOST_ROUNDS):
            if not differences:
                return
            strange = any(one.what is What.SURPLUS for one in differences)
            if strange or len(differences) >= MOST_MENDED:
                break
            self._shown.say(f"{len(differences)} differ from their rows, and are copied again.")
            ids = [id_of_text(one.id) for one in differences]
            await self._remove_differing(copier.generation, differences)
            await copier.copy(ids)
            differences, _ = await self._verifier(copier.generation, []).look_again(ids, Tally())
        if differences:
            first = differences[0]
            msg = (
                f"{len(differences)} documents of {self._name(copier.generation)} are not what their rows "
                f"say: {first.id} is {first.what.value} {first.why_unreadable}{', '.join(first.fields)}. "
                "Nothing was switched. Mend that, or give this rebuild up with `tandem rebuild --drop`."
            )
            raise RebuildError(msg)

    async def _differences(self, copier: Copier) -> list[Difference]:
        found: list[Difference] = []
        verifier = self._verifier(copier.generation, found)
        total = await self._chunks.about_how_many() or 0
        done = after = 0
        while after < HIGHEST_ID and len(found) < MOST_MENDED:
            through = await patiently(partial(self._chunks.end, after))
            tally = await patiently(partial(verifier.verify, after, through))
            done, after = done + tally.checked, through
            self._shown.advance("verified", done, max(total, done), self._pace)
            await self._pace.wait(tally.checked)
        return found

    def _verifier(self, generation: Generation, found: list[Difference]) -> Verifier:
        async def keep(news: Sequence[Difference]) -> None:
            found.extend(news)

        return Verifier(self._kind.of(generation), keep)

    async def _remove_differing(self, generation: Generation, differences: Sequence[Difference]) -> None:
        """Take away what has another content at the row's version, which no write replaces."""
        documents = self._kind.of(generation).documents
        for one in differences:
            if one.what is What.DIFFERING and one.stored is not None and not one.why_unreadable:
                await documents.remove(one.stored)

    async def _switch(self, row: Row, phase: str) -> Row:
        """Let the other generation be read."""
        before = row.projection.live
        if self._is_alone_no_more():
            msg = "The connection to PostgreSQL was lost meanwhile. Run `tandem rebuild` again: it goes on."
            raise RebuildError(msg)
        row = await self.row.change("switch", phase)
        await self.row.write_copy()
        await self.row.until_followed(self._shown.say)
        live = self._name(row.projection.live)
        self._shown.say(
            f"{live} is read now. {self._name(before)} gets every write, too: `tandem rebuild --back` goes "
            "back to it, `tandem rebuild --drop` removes it."
        )
        return row

    async def _dropped(self, number: int, row: Row) -> str:
        """Drop the collection of this generation, if nobody uses it; its name, or empty."""
        if number in {each.number for each in row.projection.written}:
            return ""
        collection = self._kind.collections.of(Generation(number))
        with translated(self._kind.plural):
            names = await collection.database.list_collection_names(filter={"name": collection.name})
            await collection.drop()
        return collection.name if names else ""

    def _name(self, generation: Generation | None) -> str:
        return "" if generation is None else generation.collection(self._kind.plural)
