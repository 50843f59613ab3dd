"""The indexes of users that reads walk."""

from pymongo import ASCENDING, DESCENDING, IndexModel

from tandem.mongodb.indexes import BY_SEED, TOMBSTONES, Index

# The newest user of an e-mail address is the first entry of its group.
BY_EMAIL: Index = [("email", ASCENDING), ("_id", DESCENDING)]

INDEXES = [IndexModel(BY_EMAIL), IndexModel(BY_SEED), TOMBSTONES]
