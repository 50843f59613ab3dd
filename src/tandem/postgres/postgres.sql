-- What is asked of any PostgreSQL: a name, a sentence, the SQL.

-- name: durability
-- The server's settings that decide whether a commit survives a crash.
SELECT name, setting FROM pg_settings WHERE name IN ('fsync', 'full_page_writes', 'synchronous_commit');
