"""The query side: one document a user in MongoDB, with everything that a reader wants."""
