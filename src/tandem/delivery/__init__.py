"""The durable half of a flow: what is committed and then left behind goes on, and is done once.

The kernel works in memory and may be interrupted anywhere. What makes an interruption harmless is here, and
knows no user; it works on rows of PostgreSQL for every kind of work ("user" is one; see `queries`):

* `pending`: a row says which version of which thing the query side shall have. Only the acknowledgement of
  that version, or of a later one, ends it. Whoever deletes the row is the one who records the end.
* `lease`: one life of an instance. Pending rows carry its number; when its lease ends, others take them.
* `recovery`: claims pending rows that nobody works on, and starts their flow again.
* `idempotency` and `held_keys`: a command that is sent again with its key is carried out once.
* `contest`: a command that others are in the way of is tried again.
* `dead_letters`: what was set aside, because the query side refuses it for good or nobody can read it.

What is to be done with a piece of work is the caller's: each of these takes functions or a small port.
"""
