"""The kinds of loads and yardsticks, by the names that they have in reports."""

#: Creating users: as many connections as fast as they go, or users due at a fixed rate.
CLOSED, OPEN = "closed", "open"
#: Reading users.
BY_ID, BY_EMAIL, LIST = "read by id", "read by e-mail", "list"
#: Both at the same time.
BESIDE_WRITES, BESIDE_READS = "read by e-mail beside writes", "create beside reads"

#: The same job in other ways.
FROZEN_FLOOR, CURRENT_FLOOR = "frozen floor", "current floor"
PLAIN_WAY, ONE_AT_A_TIME = "plain way", "one at a time in C"
FIND_ONE, JOIN, DOCUMENT = "plain find_one", "join in PostgreSQL", "document in MongoDB"
JOIN_OF_50, DOCUMENT_OF_50 = f"{JOIN}, 50 at a time", f"{DOCUMENT}, 50 at a time"

#: Loads of the service itself; all other kinds are yardsticks.
OF_SERVICE = frozenset({CLOSED, OPEN, BY_ID, BY_EMAIL, LIST, BESIDE_WRITES, BESIDE_READS})
#: Loads that create users.
CREATES = frozenset({CLOSED, OPEN, BESIDE_READS})
#: For each load that may have a rate, the one that shows how much there is at most.
FLAT_OUT = {
    OPEN: CLOSED,
    BESIDE_READS: CLOSED,
    BY_ID: BY_ID,
    BY_EMAIL: BY_EMAIL,
    LIST: LIST,
    BESIDE_WRITES: BY_EMAIL,
}
#: As many connections as a browser has.
BROWSER_CONNECTIONS = 6
