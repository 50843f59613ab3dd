"""The queries of `runs.sql`, by their names."""

from tandem.postgres.queries import load_queries

QUERIES = load_queries(__package__ or "", "runs.sql")
