"""Who holds the lock that somebody waits for, in words for people."""

import asyncpg

_BLOCKING = """
SELECT pid, usename, application_name
FROM unnest(pg_blocking_pids($1)) AS blocking (pid) LEFT JOIN pg_stat_activity USING (pid)
ORDER BY xact_start NULLS LAST
"""
_HOLDING_ADVISORY_LOCK = """
SELECT pid, usename, application_name
FROM pg_locks l LEFT JOIN pg_stat_activity USING (pid)
WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1
  AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
  AND (l.classid::bigint << 32) + l.objid::bigint = $1
"""


async def who_blocks(connection: asyncpg.Connection, pid: int) -> str:
    """Those for whom the session of this process id waits."""
    return _in_words(await connection.fetch(_BLOCKING, pid))


async def who_holds(connection: asyncpg.Connection, advisory_lock: int) -> str:
    """The session that holds this advisory lock."""
    return _in_words(await connection.fetch(_HOLDING_ADVISORY_LOCK, advisory_lock))


def _in_words(rows: list[asyncpg.Record]) -> str:
    if not rows:
        return "another session"
    pid, role, name = rows[0]
    # A prepared transaction has no process any more.
    first = f"pid {pid} ({name or 'without a name'}, as {role})" if pid else "a prepared transaction"
    return first if len(rows) == 1 else f"{first} with {len(rows) - 1} more"
