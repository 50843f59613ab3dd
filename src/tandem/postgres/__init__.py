"""PostgreSQL as every room uses it: sessions, deadlines, errors translated once."""
