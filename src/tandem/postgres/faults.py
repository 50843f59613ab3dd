"""What an error of PostgreSQL means: whose fault it is, and whether the session can still be used.

Three questions, for every class of PostgreSQL and of asyncpg (tests/faults/test_driver_errors.py lists them):

* Is it one item's fault? Only then may a batch be halved, and one client get the error.
* Otherwise it is the server's state. All clients get 503 with `Retry-After`, and it heals by itself.
* Can the session still be used? Only if the error shows that nothing is wrong with it. Others are closed: a
  session that was read-only stays so after its server was promoted, or its name has moved to another one.
"""

import asyncpg

#: Of several hosts, each has said that it is a standby.
NoPrimary = asyncpg.exceptions.TargetServerAttributeNotMatched

# Everything that the driver raises. Any other error in a call is a mistake of ours, and is not translated.
DRIVER_ERRORS = (
    OSError,
    TimeoutError,
    EOFError,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
)

# SQLSTATE classes 22 (a value that its type cannot have), 23 (a constraint), 44 (a view's check) and 54 (too
# large for an index, and the like); and what asyncpg cannot send.
_ITEMS = (
    asyncpg.DataError,
    asyncpg.exceptions.IntegrityConstraintViolationError,
    asyncpg.exceptions.WithCheckOptionViolationError,
    asyncpg.ProgramLimitExceededError,
)
# In those classes, and yet not one item's fault: the ids are used up.
_NO_ITEMS = (asyncpg.SequenceGeneratorLimitExceededError,)

# Lost against another transaction: nothing was done, and trying again at once mostly succeeds.
LOST = (asyncpg.DeadlockDetectedError, asyncpg.SerializationError)

# The server refused or stopped one statement, and nothing is wrong with the session.
_SESSION_STAYS = (
    *_ITEMS,
    asyncpg.TransactionRollbackError,  # 40: deadlock, serialization
    asyncpg.LockNotAvailableError,
    asyncpg.QueryCanceledError,  # 57014: statement_timeout, or an operator's cancellation
    asyncpg.InsufficientResourcesError,  # 53: disk full, out of memory
)

# The whole server is in another state than it was: other sessions to it are useless, too.
_ALL_SESSIONS_END = (
    asyncpg.ReadOnlySQLTransactionError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.CannotConnectNowError,
    asyncpg.DatabaseDroppedError,
)

# A state in a sentence that may be shown to anybody: the server's own words may quote a row or a name.
_STATES = (
    (NoPrimary, "PostgreSQL has no primary among its hosts"),
    (asyncpg.ReadOnlySQLTransactionError, "PostgreSQL is read-only: a standby, or set so"),
    (asyncpg.TooManyConnectionsError, "PostgreSQL has no free connection"),
    (asyncpg.DiskFullError, "PostgreSQL's disk is full"),
    (asyncpg.InvalidAuthorizationSpecificationError, "PostgreSQL refuses this role or its password"),
    (asyncpg.InsufficientPrivilegeError, "This role lacks a right in PostgreSQL: run `tandem migrate`"),
    (asyncpg.UndefinedTableError, "PostgreSQL lacks a table: run `tandem migrate`"),
    (asyncpg.UndefinedColumnError, "PostgreSQL lacks a column: run `tandem migrate`"),
    (asyncpg.UndefinedFunctionError, "PostgreSQL lacks a function: run `tandem migrate`"),
    (asyncpg.InvalidCatalogNameError, "PostgreSQL lacks this database"),
    (asyncpg.SequenceGeneratorLimitExceededError, "All ids are given: the sequence has reached its end"),
    (asyncpg.CannotConnectNowError, "PostgreSQL is starting or stopping"),
    (asyncpg.AdminShutdownError, "PostgreSQL is starting or stopping"),
    (asyncpg.CrashShutdownError, "PostgreSQL is starting or stopping"),
)


def is_items_fault(error: BaseException) -> bool:
    """Whether one item of a batch has caused it, so that the others may go on without that one."""
    return isinstance(error, _ITEMS) and not isinstance(error, _NO_ITEMS)


def session_stays(error: BaseException) -> bool:
    """Whether the session that raised it can still be used."""
    return isinstance(error, _SESSION_STAYS)


def all_sessions_end(error: BaseException) -> bool:
    """Whether all other sessions to this server have become useless."""
    return isinstance(error, _ALL_SESSIONS_END)


def is_refusal(error: BaseException | None) -> bool:
    """Whether PostgreSQL refuses, and will do so until somebody changes its state."""
    passing = (*LOST, asyncpg.LockNotAvailableError, asyncpg.QueryCanceledError)
    return isinstance(error, asyncpg.PostgresError) and not isinstance(error, passing)


def state_of(error: BaseException | None) -> str:
    """A sentence about the server's state, without full stop; says nothing about users."""
    for kind, sentence in _STATES:
        if isinstance(error, kind):
            return sentence
    if is_refusal(error):
        return f"PostgreSQL refuses ({type(error).__name__})"
    return "PostgreSQL does not answer"
