-- The queries of delivery for one kind of work. {kind} is its name: where it is "user", the tables are prm_user,
-- prm_user_pending, prm_user_dead_letter, prm_user_event, prm_user_count and prm_user_lag, and there is a view
-- prm_user_state. Those that belong to a row of prm_user have the column user_id.

-- name: claim_pending
-- Takes pending work that nobody works on: those of ended leases, and our own that we do not hold. Rows that
-- another transaction has locked are being claimed or finished right now, and are skipped. It answers ids only: who is
-- frozen in the middle of a long answer would keep its rows locked, and nobody could take them.
WITH alive AS MATERIALIZED (
    SELECT incarnation FROM tandem_instance WHERE lease_until > now()
), idle AS MATERIALIZED (
    SELECT p.{kind}_id, p.version, p.incarnation
    FROM prm_{kind}_pending p
    WHERE CASE WHEN p.incarnation = $1
               THEN p.created_at < now() - make_interval(secs => $4)
                    AND p.{kind}_id NOT IN (SELECT unnest($2::bigint[]))
               ELSE NOT EXISTS (SELECT FROM alive a WHERE a.incarnation = p.incarnation) END
    ORDER BY p.{kind}_id LIMIT $3
    FOR UPDATE OF p SKIP LOCKED
), claimed AS (
    UPDATE prm_{kind}_pending p SET incarnation = $1
    WHERE p.{kind}_id = ANY (ARRAY(SELECT {kind}_id FROM idle WHERE incarnation <> $1))
)
SELECT {kind}_id, version FROM idle;

-- name: existing
-- Those of these ids that are there and not deleted.
SELECT id FROM prm_{kind} WHERE id = ANY ($1::bigint[]) AND status NOT IN ('DELETED', 'ERASED');

-- name: unknown_ids
-- Those of these ids that have no row.
SELECT id FROM unnest($1::bigint[]) AS given (id) WHERE NOT EXISTS (SELECT FROM prm_{kind} u WHERE u.id = given.id)
ORDER BY id;

-- name: highest_id
-- The highest id that has a row; 0 without one.
SELECT coalesce(max(id), 0) AS id FROM prm_{kind};

-- name: ids
-- At most $3 ids of rows, those above $1 and up to $2, ascending.
SELECT id FROM prm_{kind} WHERE id > $1::bigint AND id <= $2::bigint ORDER BY id LIMIT $3::integer;

-- name: end_of_chunk
-- The id of the row that is $2 rows after the id $1; null: there are not so many.
SELECT id FROM prm_{kind} WHERE id > $1::bigint ORDER BY id OFFSET $2::integer - 1 LIMIT 1;

-- name: about_how_many
-- About how many rows there are, as of the last look at the table; below zero: nobody knows.
SELECT reltuples::bigint AS rows FROM pg_class WHERE oid = 'prm_{kind}'::regclass;

-- name: oldest_pending
-- How old the oldest pending work is, in seconds; null where there is none. Of more than 100,000, some are looked at.
SELECT extract(epoch FROM now() - min(created_at))::float8 AS age
FROM (SELECT created_at FROM prm_{kind}_pending LIMIT 100000) counted;

-- name: flow_state
-- What is left to do: pending work and dead letters, counted no further than these limits, and how long the
-- oldest of what was counted has been pending.
SELECT pending, oldest_pending_seconds,
       (SELECT count(*) FROM (SELECT FROM prm_{kind}_dead_letter LIMIT $2) first) AS dead_letters
FROM (
    SELECT count(*) AS pending,
           coalesce(extract(epoch FROM now() - min(created_at))::float8, 0) AS oldest_pending_seconds
    FROM (SELECT created_at FROM prm_{kind}_pending LIMIT $1) first
) counted;

-- name: count_dead_letters
-- How much is set aside, counted no further than 1,000, and why the first of them was.
SELECT count(*) AS letters, (SELECT error FROM prm_{kind}_dead_letter ORDER BY {kind}_id LIMIT 1) AS error
FROM (SELECT FROM prm_{kind}_dead_letter LIMIT 1000) first;

-- name: is_dead_letter
-- A row if this one is set aside.
SELECT FROM prm_{kind}_dead_letter WHERE {kind}_id = $1;

-- name: synchronize
-- Ends the flow of what is still pending at these versions, or at earlier ones: status, event, statistics.
-- The ids have to be in order, and of one id the highest version last: width_bucket finds an id's place among them.
-- Deleting the pending row decides who does it, so that two instances cannot both. Answers how many of each
-- lag it has ended, and whether another instance had created them.
--
-- Nothing is ended that was written under an epoch of projections ($5) before the required one: not all collections
-- have it that shall. It stays pending, and recovery brings it again.
--
-- It waits for rows that others have locked no longer than $4 (`lock_timeout`). Null: it leaves such out, which stay
-- pending, and takes the time to lock the others first.
WITH chosen AS MATERIALIZED (
    SELECT CASE WHEN set_config('lock_timeout', coalesce($4::text, '1s'), true) <> '' AND $4 IS NOT NULL
           THEN $1::bigint[]
           ELSE ARRAY(
               SELECT p.{kind}_id FROM prm_{kind}_pending p JOIN prm_{kind} u ON u.id = p.{kind}_id
               WHERE p.{kind}_id = ANY ($1) AND u.id = ANY ($1) FOR UPDATE OF p, u SKIP LOCKED
           ) END AS ids
), done AS (
    DELETE FROM prm_{kind}_pending
    WHERE {kind}_id = ANY ((SELECT ids FROM chosen)::bigint[])
      AND version <= ($2::integer[])[width_bucket({kind}_id, $1::bigint[])]
      AND $5::bigint >= coalesce((SELECT required_epoch FROM tandem_projection WHERE kind = '{kind}'), 0)
    RETURNING {kind}_id
), synchronized AS (
    UPDATE prm_{kind} SET status = CASE WHEN status IN ('DELETED', 'ERASED') THEN status ELSE 'SYNCRONIZED' END
    WHERE id = ANY (ARRAY(SELECT {kind}_id FROM done))
    RETURNING id, seed, app_id, version, coalesce(updated_at, created_at) AS committed_at
), events AS (
    INSERT INTO prm_{kind}_event ({kind}_id, version, event_type, seed, app_id, created_at)
    SELECT id, version, 'SYNCRONIZED', seed, $3, now() FROM synchronized
), ended AS MATERIALIZED (
    SELECT seed, app_id, app_id <> $3 AND version = 1 AS taken_over,
           ceil(ln(greatest(date_part('epoch', now() - committed_at) * 1000, 1)) / ln(1.1::float8))::smallint
               AS bucket,
           count(*) AS users
    FROM synchronized GROUP BY 1, 2, 3, 4
), lags AS (
    INSERT INTO prm_{kind}_lag AS l (seed, app_id, backend, bucket, users)
    SELECT seed, app_id, pg_backend_pid(), bucket, sum(users) FROM ended GROUP BY 1, 2, 4
    ON CONFLICT (seed, app_id, backend, bucket) DO UPDATE SET users = l.users + excluded.users
), counts AS (
    INSERT INTO prm_{kind}_count AS c (seed, app_id, backend, synchronized, taken_over)
    SELECT seed, app_id, pg_backend_pid(), sum(users), coalesce(sum(users) FILTER (WHERE taken_over), 0)
    FROM ended GROUP BY seed, app_id
    ON CONFLICT (seed, app_id, backend) DO UPDATE SET
        synchronized = c.synchronized + excluded.synchronized,
        taken_over = c.taken_over + excluded.taken_over
)
SELECT bucket, users, taken_over FROM ended;

-- name: set_aside
-- Takes out of the flow what MongoDB refused for good, with its reasons.
WITH refused AS (
    SELECT * FROM unnest($1::bigint[], $2::integer[], $3::text[]) AS r ({kind}_id, version, error)
), done AS (
    -- Who is locked stays pending: recovery brings it here once more.
    DELETE FROM prm_{kind}_pending p USING refused r
    WHERE p.{kind}_id = ANY (ARRAY(
              SELECT {kind}_id FROM prm_{kind}_pending WHERE {kind}_id = ANY ($1) FOR UPDATE SKIP LOCKED
          )) AND p.{kind}_id = r.{kind}_id AND p.version = r.version
    RETURNING p.{kind}_id, p.version, r.error
), letters AS (
    INSERT INTO prm_{kind}_dead_letter ({kind}_id, version, error, app_id, created_at)
    SELECT {kind}_id, version, error, $4, now() FROM done
    ON CONFLICT ({kind}_id) DO UPDATE SET
        version = excluded.version, error = excluded.error,
        app_id = excluded.app_id, created_at = excluded.created_at
)
INSERT INTO prm_{kind}_count AS c (seed, app_id, backend, dead_letters)
SELECT u.seed, u.app_id, pg_backend_pid(), count(*)
FROM done JOIN prm_{kind} u ON u.id = done.{kind}_id
WHERE u.id = ANY ($1) GROUP BY u.seed, u.app_id
ON CONFLICT (seed, app_id, backend) DO UPDATE SET dead_letters = c.dead_letters + excluded.dead_letters;

-- name: not_synchronized
-- Those of these ids that MongoDB has not acknowledged as they are now: pending, or dead letters.
SELECT {kind}_id FROM prm_{kind}_pending WHERE {kind}_id = ANY ($1::bigint[])
UNION ALL SELECT {kind}_id FROM prm_{kind}_dead_letter WHERE {kind}_id = ANY ($1);

-- name: list_dead_letters
-- Dead letters in order of ids, of one run ($3) or of all.
SELECT d.{kind}_id, coalesce(u.seed, '') AS seed, d.version, d.error, d.app_id, d.created_at
FROM prm_{kind}_dead_letter d LEFT JOIN prm_{kind} u ON u.id = d.{kind}_id
WHERE d.{kind}_id > $1 AND ($3::text IS NULL OR u.seed = $3) ORDER BY d.{kind}_id LIMIT $2;

-- name: find_dead_letter
-- One dead letter, with the state that the rows have; null where there is none.
SELECT d.{kind}_id, coalesce(u.seed, '') AS seed, d.version, d.error, d.app_id, d.created_at, s.state::text AS state
FROM prm_{kind}_dead_letter d
LEFT JOIN prm_{kind} u ON u.id = d.{kind}_id
LEFT JOIN prm_{kind}_state s ON s.id = d.{kind}_id
WHERE d.{kind}_id = $1 LIMIT 1;

-- name: retry_dead_letters
-- Makes dead letters pending again, at the newest version: the one of this id, or at most 1,000 of them. They belong
-- to no incarnation, so any instance's recovery claims them. Those that another transaction has locked are left out.
WITH chosen AS (
    SELECT {kind}_id FROM prm_{kind}_dead_letter
    WHERE $1::bigint IS NULL OR {kind}_id = $1 ORDER BY {kind}_id LIMIT 1000 FOR UPDATE SKIP LOCKED
), removed AS (
    DELETE FROM prm_{kind}_dead_letter d WHERE d.{kind}_id = ANY (ARRAY(SELECT {kind}_id FROM chosen))
    RETURNING d.{kind}_id, d.version
), pending AS (
    INSERT INTO prm_{kind}_pending ({kind}_id, version, incarnation, created_at)
    SELECT r.{kind}_id, coalesce(u.version, r.version), 0, now()
    FROM removed r LEFT JOIN LATERAL (SELECT version FROM prm_{kind} WHERE id = r.{kind}_id LIMIT 1) u ON true
    ON CONFLICT DO NOTHING
), counts AS (
    INSERT INTO prm_{kind}_count AS c (seed, app_id, backend, dead_letters)
    SELECT u.seed, u.app_id, pg_backend_pid(), -count(*)
    FROM removed r JOIN prm_{kind} u ON u.id = r.{kind}_id
    WHERE u.id = ANY (ARRAY(SELECT {kind}_id FROM chosen)) GROUP BY u.seed, u.app_id
    ON CONFLICT (seed, app_id, backend) DO UPDATE SET dead_letters = c.dead_letters + excluded.dead_letters
)
SELECT count(*) AS retried FROM removed;

-- name: claim_keys
-- Takes keys ($1) for another cell ($3), which got their slots by these moves ($2): of a key that it has, a row has
-- -1 - its number for an id, and the move for a version (delivery/moved_keys.py). What a key stands for already stays,
-- and so does a claim by a later move. Who has no slot (move 2^31 - 1) takes no claim's place. For a key of another open
-- transaction it waits at most $4.
INSERT INTO prm_{kind}_key AS k (key, {kind}_id, version)
SELECT sha256(convert_to(given.key, 'UTF8')), -1 - $3::integer, given.move
FROM (SELECT set_config('lock_timeout', $4::text, true) WHERE $4 IS NOT NULL) limited,
     unnest($1::text[], $2::integer[]) AS given (key, move)
ON CONFLICT (key) DO UPDATE SET {kind}_id = excluded.{kind}_id, version = excluded.version
WHERE k.{kind}_id < 0 AND k.version < excluded.version AND excluded.version < 2147483647;

-- name: release_keys
-- Takes other cells' claims of these keys ($1) away, by moves before these ($2): their slots came back, and are claimed
-- everywhere else by now.
DELETE FROM prm_{kind}_key k USING unnest($1::text[], $2::integer[]) AS given (key, move)
WHERE k.key = sha256(convert_to(given.key, 'UTF8')) AND k.{kind}_id < 0 AND k.version < given.move;
