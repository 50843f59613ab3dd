"""What holds for ids of every kind, in PostgreSQL, in MongoDB and over HTTP."""

# Ids stay below 2^53, so that a JavaScript number holds each exactly.
HIGHEST_ID = 2**53 - 1
