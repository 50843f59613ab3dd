"""Tandem: users written to PostgreSQL, served from MongoDB, kept in step by an event flow."""
