"""Lists of users of all cells, merged by id: of each cell no more is in memory than a piece."""

from collections import deque
from collections.abc import AsyncIterator, Sequence

from msgspec.structs import replace

from tandem.kernel.cells import Everywhere, Part, hear
from tandem.mongodb.document import Document, id_of
from tandem.user_query.lists import FIRST_PIECE, Listed, UserLists, encoded_list


class _OfCell:
    """What was read of one cell's users and not sent yet."""

    def __init__(self, part: Part[UserLists], after: int) -> None:
        self.part = part
        self.users: deque[Document] = deque()
        self._after = after
        self._is_read = False

    @property
    def is_wanting(self) -> bool:
        """Whether it has to be read before anything can be sent."""
        return not self.users and not self._is_read

    @property
    def next_id(self) -> int:
        """The id of the first one."""
        return id_of(self.users[0])

    async def read(self, wanted: Listed, size: int) -> None:
        """Read so many more."""
        found = await self.part.source.piece(replace(wanted, limit=size, after=self._after))
        self.users.extend(found)
        self._is_read = len(found) < size
        if found:
            self._after = id_of(found[-1])


class _Merging:
    """One list on its way. A cell that is silent when it begins is left out; one that becomes so ends it."""

    def __init__(self, parts: Sequence[Part[UserLists]], wanted: Listed) -> None:
        self._cells = {part.number: _OfCell(part, wanted.after) for part in parts}
        self._wanted = wanted
        #: Those that are left out.
        self.silent: Sequence[int] = ()

    async def begin(self) -> None:
        """Read what comes first.

        Raises:
            SilentCells: no cell answers, or the list has to be complete and one does not.
        """
        wanting = [cell.part for cell in self._cells.values()]
        size = min(FIRST_PIECE, self._wanted.limit)
        heard = await hear(wanting, lambda part: self._cells[part.number].read(self._wanted, size))
        if self._wanted.through is not None:
            heard.require_all()
        self.silent = heard.silent
        for number in self.silent:
            del self._cells[number]

    async def more(self, size: int) -> list[Document]:
        """So many of those that come next; fewer only at the end.

        Raises:
            SilentCells: a cell does not answer any more.
        """
        users: list[Document] = []
        while len(users) < size:
            await self._fill(size)
            ready = [cell for cell in self._cells.values() if cell.users]
            if not ready:
                break
            users.append(min(ready, key=lambda cell: cell.next_id).users.popleft())
        return users

    async def _fill(self, size: int) -> None:
        if wanting := [cell.part for cell in self._cells.values() if cell.is_wanting]:
            heard = await hear(wanting, lambda part: self._cells[part.number].read(self._wanted, size))
            heard.require_all()


class AllLists:
    """Lists of the users of all cells."""

    def __init__(self, cells: Everywhere[UserLists]) -> None:
        self._cells = cells

    async def short(self, wanted: Listed, cell: int | None = None) -> tuple[bytes, Sequence[int]]:
        """A list of at most `FIRST_PIECE` users as JSON, and the cells that are left out.

        `cell`: whose users; None: those of all.

        Raises:
            UnknownCell: there is no such cell.
            SilentCells: no cell answers, or the list has to be complete and one does not.
            Unavailable, MissingIndex, Overloaded: see `UserLists`.
        """
        if self._cells.is_alone and cell is None:
            return await self._cells.own.short(wanted), ()
        merging = await self._begun(wanted, cell)
        return encoded_list(await merging.more(wanted.limit), wanted.fields), merging.silent

    async def pieces(
        self, wanted: Listed, cell: int | None = None
    ) -> tuple[AsyncIterator[bytes], Sequence[int]]:
        """A list of any length as JSON in pieces, and the cells that are left out.

        The iterator raises `SilentCells` where one falls silent.

        Raises: see `short`.
        """
        if self._cells.is_alone and cell is None:
            return self._cells.own.pieces(wanted), ()
        merging = await self._begun(wanted, cell)
        return self._cells.own.pieces(wanted, merging.more), merging.silent

    async def _begun(self, wanted: Listed, cell: int | None) -> _Merging:
        parts = self._cells.parts if cell is None else [self._cells.named(cell)]
        merging = _Merging(parts, wanted)
        await merging.begin()
        return merging
