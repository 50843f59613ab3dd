-- For after a restore of MongoDB: whoever was recorded as SYNCRONIZED since a moment is made pending again, so that
-- MongoDB gets them once more. Whom it has already is not changed, and instances may run. Run by psql as the owner:
--   psql -v since='2026-01-31 12:00:00+00' -f pending_again.sql      (-infinity: everybody)
-- Once for users, and once for each installed aggregate with its name, such as -v kind=order.
-- It takes back all that the write-back has recorded (synchronize in delivery.sql), so that statistics stay exact.
\if :{?kind}
\else
\set kind user
\endif
\set rows prm_ :kind
\set log prm_ :kind _event
\set pending prm_ :kind _pending
\set lag prm_ :kind _lag
\set count prm_ :kind _count
\set id :kind _id
WITH undone AS (
    DELETE FROM :log e USING :rows u
    WHERE e.event_type = 'SYNCRONIZED' AND e.created_at >= :'since'::timestamptz
      AND u.id = e.:id AND u.version = e.version
    RETURNING u.id, u.version, u.seed, u.app_id, u.created_at,
              e.app_id AS synchronized_by, e.created_at AS synchronized_at
), users AS (
    UPDATE :rows u SET status = CASE WHEN u.status IN ('DELETED', 'ERASED') THEN u.status ELSE (
        SELECT event_type FROM :log e
        WHERE e.:id = u.id AND e.version = u.version AND e.event_type <> 'SYNCRONIZED'
    ) END FROM undone WHERE u.id = undone.id
), pending AS (
    -- Incarnation 0 is nobody's, so the first instance that starts claims them.
    INSERT INTO :pending (:id, version, incarnation, created_at)
    SELECT id, version, 0, now() FROM undone ON CONFLICT DO NOTHING
), lags AS (
    INSERT INTO :lag AS l (seed, app_id, backend, bucket, users)
    SELECT seed, app_id, pg_backend_pid(),
           ceil(ln(greatest(extract(epoch FROM synchronized_at - created_at)::float8 * 1000, 1)) / ln(1.1::float8))::smallint,
           -count(*)
    FROM undone GROUP BY 1, 2, 4
    ON CONFLICT (seed, app_id, backend, bucket) DO UPDATE SET users = l.users + excluded.users
), counts AS (
    INSERT INTO :count AS c (seed, app_id, backend, synchronized, taken_over)
    SELECT seed, app_id, pg_backend_pid(), -count(*), -count(*) FILTER (WHERE app_id <> synchronized_by)
    FROM undone GROUP BY seed, app_id
    ON CONFLICT (seed, app_id, backend) DO UPDATE SET
        synchronized = c.synchronized + excluded.synchronized,
        taken_over = c.taken_over + excluded.taken_over
)
SELECT count(*) AS pending_again FROM undone;
