-- For after a restore of MongoDB: whoever was recorded as SYNCRONIZED since a moment is made pending again, so that
-- MongoDB gets them once more. Whom it has already is not changed, and instances may run. Run by psql as the owner:
--   psql -v since='2026-01-31 12:00:00+00' -f pending_again.sql      (-infinity: everybody)
-- It takes back all that the write-back has recorded (synchronize_users in users.sql), so that statistics stay exact.
WITH undone AS (
    DELETE FROM prm_user_event e USING prm_user u
    WHERE e.event_type = 'SYNCRONIZED' AND e.created_at >= :'since'::timestamptz
      AND u.id = e.user_id AND u.version = e.version
    RETURNING u.id, u.version, u.seed, u.app_id, u.created_at,
              e.app_id AS synchronized_by, e.created_at AS synchronized_at
), users AS (
    UPDATE prm_user u SET status = (
        SELECT event_type FROM prm_user_event e
        WHERE e.user_id = u.id AND e.version = u.version AND e.event_type <> 'SYNCRONIZED'
    ) FROM undone WHERE u.id = undone.id
), pending AS (
    -- Incarnation 0 is nobody's, so the first instance that starts claims them.
    INSERT INTO prm_user_pending (user_id, version, incarnation, created_at)
    SELECT id, version, 0, now() FROM undone ON CONFLICT DO NOTHING
), lags AS (
    INSERT INTO prm_user_lag AS l (seed, app_id, backend, bucket, users)
    SELECT seed, app_id, pg_backend_pid(),
           ceil(ln(greatest(extract(epoch FROM synchronized_at - created_at)::float8 * 1000, 1)) / ln(1.1::float8))::smallint,
           -count(*)
    FROM undone GROUP BY 1, 2, 4
    ON CONFLICT (seed, app_id, backend, bucket) DO UPDATE SET users = l.users + excluded.users
), counts AS (
    INSERT INTO prm_user_count AS c (seed, app_id, backend, synchronized, taken_over)
    SELECT seed, app_id, pg_backend_pid(), -count(*), -count(*) FILTER (WHERE app_id <> synchronized_by)
    FROM undone GROUP BY seed, app_id
    ON CONFLICT (seed, app_id, backend) DO UPDATE SET
        synchronized = c.synchronized + excluded.synchronized,
        taken_over = c.taken_over + excluded.taken_over
)
SELECT count(*) AS pending_again FROM undone;
