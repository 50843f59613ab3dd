-- What is asked of any PostgreSQL: a name, a sentence, the SQL.

-- name: durability
-- The server's settings that decide whether a commit survives a crash.
SELECT name, setting FROM pg_settings WHERE name IN ('fsync', 'full_page_writes', 'synchronous_commit');

-- name: synchronous_standbys
-- Whether a commit of this session waits for a standby, and how many there are that it could wait for.
SELECT current_setting('synchronous_commit') AS synchronous_commit,
       current_setting('synchronous_standby_names') AS names,
       pg_has_role('pg_read_all_stats', 'USAGE') AS may_see,
       (SELECT count(*) FROM pg_stat_replication WHERE sync_state IN ('sync', 'quorum')) AS standbys;

-- name: ping
-- Nothing: whether the server answers.
SELECT 1;
