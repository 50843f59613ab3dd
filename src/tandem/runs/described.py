"""The described system's own statistics query over HTTP: run as it is written, over the whole table."""

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import chain
from time import perf_counter

import asyncpg
import msgspec
from msgspec import UNSET, UnsetType

from tandem.http.problems import RETRY_AFTER, try_again
from tandem.http.requests import NoArguments, Request, Response, json_response
from tandem.http.routes import Route
from tandem.http.silence import SILENT_CELLS, silence
from tandem.kernel import Unavailable
from tandem.kernel.cells import Everywhere
from tandem.postgres.database import Database
from tandem.runs.queries import QUERIES
from tandem.user.profile import Seed

SQL = QUERIES["described_statistics"].sql
COLUMNS = ["seed", "app_id", "total", "min", "max", "duration"]
# Less than a call to PostgreSQL may take, so that the server gives up first, and says so.
PATIENCE_SECONDS = 8
MOST_ROWS = 1_000

# Seed, app id, how many users, the first and the last of them, and the pair of both.
DescribedRow = tuple[str, str, int, datetime, datetime, tuple[datetime, datetime]]


class DescribedStatistics(msgspec.Struct, frozen=True, rename="camel"):
    """The query and its result."""

    sql: str
    columns: list[str]
    #: The first 1,000, of all runs or of the one asked for.
    rows: list[DescribedRow]
    #: How many rows the query had.
    rows_in_all: int
    #: How long it took.
    seconds: float
    #: Cells that did not answer in time, and are left out; missing where all have.
    silent_cells: Sequence[int] | UnsetType = UNSET


class DescribedQuery(msgspec.Struct, frozen=True):
    """Which run's rows to show; all without it."""

    seed: Seed | None = None


class DescribedController:
    """Runs the described query, one at a time."""

    def __init__(self, cells: Everywhere[Database]) -> None:
        self._cells = cells
        self._running = asyncio.Lock()

    def routes(self) -> list[Route]:
        """The one route."""
        return [
            Route(
                "GET",
                "/api/v1/stats/described",
                self.run,
                "The described system's statistics query, and its result",
                query_type=DescribedQuery,
                responses={200: DescribedStatistics},
                headers={200: SILENT_CELLS, 503: RETRY_AFTER},
                problems=(503,),
                tag="statistics",
                description=(
                    "It reads every user, whichever run is asked for: `seed` chooses among the rows of its "
                    f"result. One at a time runs on an instance, for at most {PATIENCE_SECONDS} seconds."
                ),
            )
        ]

    async def run(self, request: Request[NoArguments, DescribedQuery, None]) -> Response:
        """Run the query and show its rows."""
        if self._running.locked():
            raise try_again(2, "The query is running already; one at a time is enough for a database.")
        seed = request.query.seed
        async with self._running:
            started = perf_counter()
            heard = await self._cells.ask(_rows, timedelta(seconds=PATIENCE_SECONDS + 1))
            seconds = round(perf_counter() - started, 4)
        found = _together(list(heard.answers.values()))
        rows = [row for row in found if seed is None or row[0] == seed]
        answer = DescribedStatistics(
            sql=SQL,
            columns=COLUMNS,
            rows=rows[:MOST_ROWS],
            rows_in_all=len(found),
            seconds=seconds,
            silent_cells=heard.silent or UNSET,
        )
        return json_response(answer, headers=silence(heard.silent))


async def _rows(database: Database) -> list[DescribedRow]:
    try:
        async with database.connection() as connection, connection.transaction(readonly=True):
            # Scanning the table is what the query asks for, and sessions here avoid it otherwise.
            await connection.execute(
                f"SET LOCAL enable_seqscan = on; SET LOCAL statement_timeout = '{PATIENCE_SECONDS}s'"
            )
            return [(*row,) for row in await connection.fetch(SQL)]
    except Unavailable as error:
        if not isinstance(error.__cause__, asyncpg.QueryCanceledError):
            raise
        detail = (
            f"There are too many users for this query: it took longer than {PATIENCE_SECONDS} s and was "
            "stopped. /api/v1/runs and /api/v1/stats answer from counters, at once."
        )
        raise try_again(60, detail) from None


def _together(cells: Sequence[list[DescribedRow]]) -> list[DescribedRow]:
    """The rows of all cells; what several have of one run and instance is one row."""
    if len(cells) == 1:
        return cells[0]
    rows: dict[tuple[str, str], DescribedRow] = {}
    for row in chain(*cells):
        before = rows.get(row[:2])
        rows[row[:2]] = _sum(before, row) if before else row
    return [row for _, row in sorted(rows.items())]


def _sum(one: DescribedRow, other: DescribedRow) -> DescribedRow:
    first, last = min(one[3], other[3]), max(one[4], other[4])
    return (one[0], one[1], one[2] + other[2], first, last, (last, first))
