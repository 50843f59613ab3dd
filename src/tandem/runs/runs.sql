-- Every query about runs: a name, a sentence, the SQL. Python builds none from pieces.
-- {kind} is the kind of what runs are made of, such as "user", and {samples} the end of its table of samples' name.

-- name: statistics
-- One row for each run and instance, from the counters.
SELECT seed, app_id, sum(total)::bigint AS total, sum(updated)::bigint AS updated, sum(deleted)::bigint AS deleted,
       sum(synchronized)::bigint AS synchronized,
       sum(taken_over)::bigint AS taken_over, sum(dead_letters)::bigint AS dead_letters,
       min(first_created_at) AS first_created_at, max(last_created_at) AS last_created_at
FROM prm_{kind}_count WHERE $1::text IS NULL OR seed = $1
GROUP BY seed, app_id ORDER BY seed, app_id;

-- name: lags
-- How many users of each run and instance fell into each bucket of lag.
SELECT seed, app_id, bucket, sum(users)::bigint AS users
FROM prm_{kind}_lag WHERE $1::text IS NULL OR seed = $1
GROUP BY seed, app_id, bucket ORDER BY seed, app_id, bucket;

-- name: list_runs
-- Runs, those with the newest users first: at most $3, after the one of this time and seed. Seeds by code point, as
-- whoever merges the runs of several databases compares them.
SELECT seed, sum(total)::bigint AS total, sum(synchronized)::bigint AS synchronized,
       sum(taken_over)::bigint AS taken_over, sum(dead_letters)::bigint AS dead_letters,
       array_agg(DISTINCT app_id) AS instances,
       min(first_created_at) AS first_created_at, max(last_created_at) AS last_created_at
FROM prm_{kind}_count
GROUP BY seed
HAVING max(last_created_at) IS NOT NULL
   AND ($1::timestamptz IS NULL OR (max(last_created_at), seed COLLATE "C") < ($1, $2::text))
ORDER BY max(last_created_at) DESC, seed COLLATE "C" DESC LIMIT $3;

-- name: find_runs
-- These runs.
SELECT seed, sum(total)::bigint AS total, sum(synchronized)::bigint AS synchronized,
       sum(taken_over)::bigint AS taken_over, sum(dead_letters)::bigint AS dead_letters,
       array_agg(DISTINCT app_id) AS instances,
       min(first_created_at) AS first_created_at, max(last_created_at) AS last_created_at
FROM prm_{kind}_count WHERE seed = ANY ($1::text[])
GROUP BY seed HAVING max(last_created_at) IS NOT NULL;

-- name: lags_of_runs
-- How many users of each of these runs fell into each bucket of lag.
SELECT seed, bucket, sum(users)::bigint AS users
FROM prm_{kind}_lag WHERE seed = ANY ($1::text[])
GROUP BY seed, bucket ORDER BY seed, bucket;

-- name: next_row
-- The first row whose id is not below $1: where ids ascend, times do, but for some seconds.
SELECT id, created_at FROM prm_{kind} WHERE id >= $1::bigint ORDER BY id LIMIT 1;

-- name: count_rows
-- The rows of a run ($1) among the ids above $2 and up to $3: how many there are, and how many are not deleted.
SELECT count(*) AS rows, count(*) FILTER (WHERE status NOT IN ('DELETED', 'ERASED')) AS present
FROM prm_{kind} WHERE id > $2::bigint AND id <= $3::bigint AND seed = $1;

-- name: first_synchronized
-- Of the same, when the last one of them was synchronized for the first time, and the longest that one had to wait: of
-- all, and of those that another instance than their own has finished.
SELECT max(e.created_at) AS ended_at, max(e.created_at - u.created_at) AS longest,
       max(e.created_at - u.created_at) FILTER (WHERE e.app_id <> u.app_id) AS longest_rescued
FROM prm_{kind} u
JOIN prm_{kind}_event e ON e.{kind}_id = u.id AND e.version = 1 AND e.event_type = 'SYNCRONIZED'
WHERE u.id > $2::bigint AND u.id <= $3::bigint AND u.seed = $1;

-- name: rescued
-- Of the same, the first $4 that another instance than their own has finished, and after how many seconds.
SELECT u.id, e.app_id AS by, extract(epoch FROM e.created_at - u.created_at)::float8 AS seconds
FROM prm_{kind} u
JOIN prm_{kind}_event e ON e.{kind}_id = u.id AND e.version = 1 AND e.event_type = 'SYNCRONIZED'
WHERE u.id > $2::bigint AND u.id <= $3::bigint AND u.seed = $1 AND e.app_id <> u.app_id
ORDER BY u.id LIMIT $4;

-- name: letters_of_run
-- Of the same, the first $4 dead letters.
SELECT d.{kind}_id AS id, d.error FROM prm_{kind}_dead_letter d JOIN prm_{kind} u ON u.id = d.{kind}_id
WHERE d.{kind}_id > $2::bigint AND d.{kind}_id <= $3::bigint AND u.seed = $1 ORDER BY d.{kind}_id LIMIT $4;

-- name: doubled_users
-- Of the same, how many have a login's UUID, and how many of them have that of another one.
SELECT count(l.uuid) AS checked, count(l.uuid) - count(DISTINCT l.uuid) AS doubled
FROM prm_user u JOIN prm_user_login l ON l.user_id = u.id
WHERE u.id > $2::bigint AND u.id <= $3::bigint AND u.seed = $1;

-- name: keep_verdict
-- Keeps how a run ($1) went ($3, made at $2) instead of what was kept before.
INSERT INTO tandem_verdict (aggregate, seed, made_at, verdict) VALUES ('{kind}', $1, $2, $3::text::json)
ON CONFLICT (aggregate, seed) DO UPDATE SET made_at = excluded.made_at, verdict = excluded.verdict;

-- name: find_verdict
-- How a run went; no row where nobody has asked.
SELECT made_at, verdict::text AS verdict FROM tandem_verdict WHERE aggregate = '{kind}' AND seed = $1;

-- name: short_verdicts
-- How these runs went, in short.
SELECT seed, made_at, verdict->>'state' AS state, (verdict->>'isGood')::boolean AS is_good,
       verdict->>'sentence' AS sentence
FROM tandem_verdict WHERE aggregate = '{kind}' AND seed = ANY ($1::text[]);

-- name: described_statistics
select seed, app_id,
count(*) total,
min(created_at), max(created_at),
(max(created_at), min(created_at)) duration
from prm_user
group by seed, app_id
order by 1, 2

-- name: keep_samples
-- Keeps samples of runs ($1), and clears away what is too much or too old if $2. Not together with the long answer of
-- sample_runs: an instance that is frozen while it is sent would hold up everybody who keeps the same seconds. Nor is
-- another transaction waited for that keeps one of them.
WITH limited AS MATERIALIZED (
    SELECT set_config('lock_timeout', '100ms', true)
), kept AS (
    INSERT INTO prm_{samples}
    SELECT s.* FROM limited, json_populate_recordset(NULL::prm_{samples}, $1::text::json) s ORDER BY seed, at_second
    ON CONFLICT DO NOTHING
), ranked AS MATERIALIZED (
    SELECT seed, at_second, row_number() OVER (PARTITION BY seed ORDER BY at_second DESC) AS place
    FROM prm_{samples} WHERE $2
)
DELETE FROM prm_{samples} s USING ranked r
WHERE $2 AND s.seed = r.seed AND s.at_second = r.at_second
  AND (r.place > 600 OR r.at_second < extract(epoch FROM now() - interval '1 day'));

-- name: keep_happenings
-- Keeps what happened in runs ($1 to $6), once, whichever watcher comes first: what several see at about one time is one
-- thing. A run has 200 at most, or one more batch; they are forgotten after 30 days.
WITH told AS MATERIALIZED (
    SELECT * FROM unnest($1::text[], $2::text[], $3::timestamptz[], $4::text[], $5::text[], $6::bigint[])
        AS t (seed, once, at, kind, text, amount)
), kept AS (
    INSERT INTO tandem_happening (aggregate, seed, once, at, kind, text, amount)
    SELECT '{kind}', t.* FROM told t
    WHERE t.kind <> 'observed' OR NOT EXISTS (
        SELECT FROM tandem_happening h
        WHERE h.aggregate = '{kind}' AND h.seed = t.seed AND h.kind = 'observed' AND h.text = t.text
          AND h.at BETWEEN t.at - interval '6 s' AND t.at + interval '6 s'
    )
    ON CONFLICT DO NOTHING
), surplus AS (
    SELECT seed, once FROM (
        SELECT seed, once, row_number() OVER (PARTITION BY seed ORDER BY at DESC, once) AS place
        FROM tandem_happening WHERE aggregate = '{kind}' AND seed = ANY ($1)
    ) r WHERE place > 200
)
DELETE FROM tandem_happening h
WHERE h.at < now() - interval '30 days'
   OR h.aggregate = '{kind}' AND (h.seed, h.once) IN (SELECT seed, once FROM surplus);

-- name: list_happenings
-- What is kept of a run.
SELECT at, kind, text, once, amount FROM tandem_happening
WHERE aggregate = '{kind}' AND seed = $1 ORDER BY at DESC, once DESC LIMIT 200;

-- name: sample_runs
-- All that the live view asks, once a second: what the counters say of the runs $1, their samples from the
-- seconds $2 on, and the instances, as one JSON object (the names are those of samples.Snapshot).
WITH watched AS MATERIALIZED (
    SELECT * FROM unnest($1::text[], $2::bigint[]) AS w (seed, since)
), sessions AS MATERIALIZED (
    SELECT DISTINCT application_name AS name FROM pg_stat_activity WHERE datname = current_database()
), longest AS MATERIALIZED (
    SELECT {kind}_id, created_at FROM prm_{kind}_pending ORDER BY {kind}_id LIMIT 100
), oldest AS MATERIALIZED (
    SELECT u.seed, extract(epoch FROM now() - min(p.created_at))::float8 AS seconds
    FROM longest p
    CROSS JOIN LATERAL (SELECT seed FROM prm_{kind} WHERE id = p.{kind}_id LIMIT 1) u
    GROUP BY u.seed
)
SELECT json_build_object(
    'at', now(),
    'oldestPendingSeconds', (SELECT extract(epoch FROM now() - min(created_at))::float8 FROM longest),
    'runs', (
        SELECT json_agg(json_build_object(
            'seed', w.seed,
            'oldestPendingSeconds', (SELECT seconds FROM oldest o WHERE o.seed = w.seed),
            'counts', (
                SELECT coalesce(json_agg(c), '[]') FROM (
                    SELECT app_id AS "appId", sum(total)::bigint AS total,
                           sum(synchronized)::bigint AS synchronized, sum(taken_over)::bigint AS "takenOver",
                           sum(dead_letters)::bigint AS "deadLetters"
                    FROM prm_{kind}_count WHERE seed = w.seed GROUP BY app_id
                ) c
            ),
            'lags', (
                SELECT coalesce(json_agg(json_build_array(bucket, users) ORDER BY bucket), '[]') FROM (
                    SELECT bucket, sum(users)::bigint AS users
                    FROM prm_{kind}_lag WHERE seed = w.seed GROUP BY bucket
                ) l
            ),
            'samples', (
                SELECT coalesce(json_agg(s), '[]') FROM (
                    SELECT * FROM prm_{samples}
                    WHERE seed = w.seed AND at_second >= w.since ORDER BY at_second DESC LIMIT 600
                ) s
            ),
            'happenings', (
                SELECT coalesce(json_agg(h), '[]') FROM (
                    SELECT at, kind, text, once, amount FROM tandem_happening
                    WHERE aggregate = '{kind}' AND seed = w.seed ORDER BY at DESC, once DESC LIMIT 200
                ) h
            )
        )) FROM watched w
    ),
    'lives', (
        SELECT coalesce(json_agg(l), '[]') FROM (
            SELECT incarnation, app_id AS "appId", started_at AS "startedAt", waiting, ready,
                   extract(epoch FROM now() - renewed_at)::float8 AS "silentSeconds",
                   EXISTS (SELECT FROM sessions WHERE name = left('tandem ' || app_id, 63)) AS connected,
                   (
                       SELECT coalesce(json_object_agg(key, value), '{}') FROM jsonb_each(
                           CASE WHEN '{kind}' = 'user' THEN in_hand ELSE coalesce(in_hand_of -> '{kind}', '{}') END
                       )
                       WHERE key = ANY ($1::text[])
                   ) AS "inFlight"
            FROM tandem_instance ORDER BY incarnation DESC LIMIT 200
        ) l
    )
);

