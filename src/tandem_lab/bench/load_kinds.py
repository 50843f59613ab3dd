"""The kinds of loads and baselines. The values are their names in reports and in JSON."""

from enum import StrEnum


class Kind(StrEnum):
    """What was measured."""

    #: Creating users: over N connections as fast as they go, or at a fixed rate.
    CLOSED = "closed"
    OPEN = "open"
    #: Changing users that are there, each once, as fast as it goes.
    UPDATE = "update"
    DELETE = "delete"
    #: Updating some of them far more often than others; the second reads first and expects what it has read.
    CONTENDED = "contended update"
    CONTENDED_IF_MATCH = "contended update, If-Match"
    #: Creating aggregates of an installed kind, and users whose first event is about as large as theirs.
    AGGREGATE = "aggregate"
    USERS_ALIKE = "users of its size"
    #: Reading users.
    BY_ID = "read by id"
    BY_EMAIL = "read by e-mail"
    LIST = "list"
    #: Both at the same time.
    BESIDE_WRITES = "read by e-mail beside writes"
    BESIDE_READS = "create beside reads"
    #: The same job in other ways: the baselines.
    FROZEN_FLOOR = "frozen floor"
    CURRENT_FLOOR = "current floor"
    PLAIN_WAY = "plain way"
    ONE_AT_A_TIME = "one at a time in C"
    FIND_ONE = "plain find_one"
    JOIN = "join in PostgreSQL"
    DOCUMENT = "document in MongoDB"
    JOIN_OF_50 = "join in PostgreSQL, 50 at a time"
    DOCUMENT_OF_50 = "document in MongoDB, 50 at a time"


#: Loads that create users.
CREATES = frozenset({Kind.CLOSED, Kind.OPEN, Kind.BESIDE_READS})
CHANGES = frozenset({Kind.UPDATE, Kind.DELETE})
CONTENDED = frozenset({Kind.CONTENDED, Kind.CONTENDED_IF_MATCH})
BESIDE_USERS = frozenset({Kind.AGGREGATE, Kind.USERS_ALIKE})
#: For each load that may have a rate, the load that shows the highest rate.
FLAT_OUT = {
    Kind.OPEN: Kind.CLOSED,
    Kind.BESIDE_READS: Kind.CLOSED,
    Kind.BY_ID: Kind.BY_ID,
    Kind.BY_EMAIL: Kind.BY_EMAIL,
    Kind.LIST: Kind.LIST,
    Kind.BESIDE_WRITES: Kind.BY_EMAIL,
}
#: Loads of the service itself; all other kinds are baselines.
OF_SERVICE = frozenset(FLAT_OUT) | frozenset(FLAT_OUT.values()) | CHANGES | CONTENDED | BESIDE_USERS
#: The number of connections that a browser opens.
BROWSER_CONNECTIONS = 6
