"""Tables for terminals of any width. Where there is no room they leave out columns, never digits."""

import msgspec
from rich.console import Console, ConsoleOptions, RenderResult
from rich.segment import Segment
from rich.table import Table
from rich.text import Text


class Column(msgspec.Struct, frozen=True):
    """A column of a table."""

    name: str
    #: Where there is no room, the column with the highest number is left out first. One with 0 stays.
    spare: int = 0
    #: Where room is short, cells are broken into lines of this width. None: never, as with numbers.
    fold_at: int | None = None
    is_number: bool = True


class FittedTable:
    """A table that fits where it is printed, and names what it had to leave out.

    Columns with nothing but zeros and blanks are left out first. A cell is plain text, or a `Text` where it
    has a style: nothing that users have written is taken for markup.
    """

    def __init__(self, *columns: Column, elsewhere: str = "A wider window shows more.") -> None:
        self._columns = columns
        self._elsewhere = elsewhere
        self._rows: list[tuple[Text, ...]] = []

    def add_row(self, *cells: str | Text) -> None:
        """Add a line; cells that are missing at its end are blank."""
        texts = [cell if isinstance(cell, Text) else Text(cell) for cell in cells]
        self._rows.append((*texts, *[Text()] * (len(self._columns) - len(texts))))

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Render it for the width at hand."""
        shown = self._fitting(options.max_width)
        widths = self._widths(shown, options.max_width)
        table = Table(box=None, header_style="bold", pad_edge=False, padding=(0, 1, 0, 0))
        for at, width in zip(shown, widths, strict=True):
            column = self._columns[at]
            table.add_column(
                column.name, justify="right" if column.is_number else "left", width=width, overflow="fold"
            )
        for row in self._rows:
            table.add_row(*(row[at] for at in shown))
        yield from console.render(table, options)
        left_out = [column.name for at, column in enumerate(self._columns) if at not in shown]
        if left_out:
            yield Segment.line()
            yield Text(f"No room for: {', '.join(left_out)}. {self._elsewhere}", style="dim")

    def _fitting(self, room: int) -> list[int]:
        """Which columns there is room for."""
        shown = list(range(len(self._columns)))
        while _sum([self._least(at) for at in shown]) > room:
            spare = [at for at in shown if self._columns[at].spare]
            if not spare:
                break
            shown.remove(max(spare, key=lambda at: (self._is_blank(at), self._columns[at].spare)))
        return shown

    def _widths(self, shown: list[int], room: int) -> list[int]:
        """Each column gets what it needs at least; those to the left first get more, as far as there is.

        Anything wider than the whole window is broken into lines, even a number.
        """
        widths = [min(self._least(at), room - 1) for at in shown]
        for place, at in enumerate(shown):
            widths[place] += max(0, min(self._most(at) - widths[place], room - _sum(widths)))
        return widths

    def _most(self, at: int) -> int:
        return max(len(self._columns[at].name), *(row[at].cell_len for row in self._rows), 1)

    def _least(self, at: int) -> int:
        column = self._columns[at]
        most = self._most(at)
        return most if column.fold_at is None else min(most, max(column.fold_at, len(column.name)))

    def _is_blank(self, at: int) -> bool:
        return all(row[at].plain in {"", "0", "0.0"} for row in self._rows)


def _sum(widths: list[int]) -> int:
    """The width of all columns, with a blank after each."""
    return sum(widths) + len(widths)
