"""Whether each commit is on a second host before it is acknowledged.

With a synchronous standby PostgreSQL answers a commit only when that one has it, so no acknowledged user is
lost with a host. When the last standby dies, Patroni has commits go on without one. With
REQUIRE_SYNCHRONOUS_STANDBY an instance refuses commands then. Reads go on, and so does the flow: what it
writes can be repeated.
"""

import logging

import asyncpg

from tandem.kernel import Unavailable
from tandem.postgres.queries import load_queries

logger = logging.getLogger(__name__)

QUERIES = load_queries(__package__ or "", "postgres.sql")
SECONDS_BETWEEN_LOOKS = 1.0
# With `local` or `off`, a commit waits for no standby.
_WAITING = ("on", "remote_apply", "remote_write")


class NoStandby(Unavailable):
    """Commits are not on a second host, and have to be; says why."""


class Standby:
    """What is known of the synchronous standby. As long as it is not required, nobody looks."""

    def __init__(self) -> None:
        self.is_required = False
        #: Why a commit would not be on a second host, in a sentence without full stop; empty: it would.
        self.trouble = ""

    def require(self) -> None:
        """Refuse to go on with a command while there is none.

        Raises:
            NoStandby: says why.
        """
        if self.trouble:
            raise NoStandby(self.trouble)

    async def look(self, session: asyncpg.Connection) -> None:
        """Learn whether there is one, if it is required.

        Raises:
            PostgresError: PostgreSQL does not say.
        """
        if not self.is_required:
            return
        row = await session.fetchrow(QUERIES["synchronous_standbys"].sql)
        assert row is not None  # noqa: S101 - narrows the type: the query has one row
        trouble = _trouble_of(row)
        if trouble != self.trouble:
            logger.log(
                logging.ERROR if trouble else logging.INFO,
                "%s.",
                trouble or "Commits wait for a standby again",
            )
        self.trouble = trouble


def _trouble_of(row: asyncpg.Record) -> str:
    if row["synchronous_commit"] not in _WAITING:
        return f"PostgreSQL waits for no standby: its synchronous_commit is {row['synchronous_commit']}"
    if not row["names"]:
        return "PostgreSQL has no synchronous standby: its synchronous_standby_names is empty"
    if not row["may_see"]:
        return (
            "PostgreSQL does not let this role see its standbys: "
            "as a superuser, GRANT pg_read_all_stats to it"
        )
    if not row["standbys"]:
        return (
            "PostgreSQL has no synchronous standby: none of those in synchronous_standby_names is connected"
        )
    return ""
