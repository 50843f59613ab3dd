-- Ends the flow of those users that are still pending at this version: status, event, statistics.
-- Deleting the pending row decides who does it, so that two instances cannot both.
WITH done AS (
    DELETE FROM prm_user_pending WHERE user_id = ANY ($1::bigint[]) AND version = $2
    RETURNING user_id
), users AS (
    UPDATE prm_user SET status = 'SYNCRONIZED' WHERE id = ANY (ARRAY(SELECT user_id FROM done))
    RETURNING id, seed, app_id, created_at
), events AS (
    INSERT INTO prm_user_event (user_id, version, event_type, seed, app_id, created_at)
    SELECT id, $2, 'SYNCRONIZED', seed, $3, now() FROM users
), lags AS (
    INSERT INTO prm_user_lag AS l (seed, app_id, backend, bucket, users)
    SELECT seed, app_id, pg_backend_pid(),
           ceil(ln(greatest(extract(epoch FROM now() - created_at)::float8 * 1000, 1)) / ln(1.1::float8))::smallint,
           count(*)
    FROM users GROUP BY 1, 2, 4
    ON CONFLICT (seed, app_id, backend, bucket) DO UPDATE SET users = l.users + excluded.users
)
INSERT INTO prm_user_count AS c (seed, app_id, backend, synchronized, taken_over)
SELECT seed, app_id, pg_backend_pid(), count(*), count(*) FILTER (WHERE app_id <> $3)
FROM users GROUP BY seed, app_id
ON CONFLICT (seed, app_id, backend) DO UPDATE SET
    synchronized = c.synchronized + excluded.synchronized,
    taken_over = c.taken_over + excluded.taken_over;
