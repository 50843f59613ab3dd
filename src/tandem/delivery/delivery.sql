-- The queries of delivery that need no more than its own tables, for one kind of work. {kind} is its name: where
-- it is "user", the tables are prm_user_pending and prm_user_dead_letter, and their column is user_id.

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
