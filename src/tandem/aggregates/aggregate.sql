-- The queries of an aggregate of your own. {kind} is its name, as in delivery.sql. What its own tables hold is written
-- by the query `write` of its package, in the same transaction, and read by its view prm_{kind}_state.

-- name: record
-- Writes what a batch has decided: of each draft ($1; with read version 0 a new one) its row and pending row, the events of
-- all ($3) and the keys of the commands ($4), each by the place of its draft. $2 are the ids of those that are not new. A
-- draft whose aggregate has another version than the one that was read, or that another transaction has locked, is left
-- out. Answers place and id of the others, and the moment.
--
-- Pending rows are locked before the others, as whoever records SYNCRONIZED does, and nobody is waited for. Only for a
-- key of another open transaction: at most $7.
WITH input AS MATERIALIZED (
    SELECT CASE WHEN u.read_version = 0 THEN nextval('prm_user_id_seq') ELSE u.given END AS id,
           u.read_version, u.version, u.seed, u.stage, u.gone, u.place,
           -- For the triggers of reactions.
           CASE WHEN u.place = 1 THEN set_config('tandem.incarnation', $6::bigint::text, true) END AS told
    FROM unnest($1::tandem_draft_v1[]) WITH ORDINALITY
         AS u (given, read_version, version, seed, stage, gone, place)
), were_pending AS MATERIALIZED (
    SELECT {kind}_id FROM prm_{kind}_pending WHERE {kind}_id = ANY ($2::bigint[]) ORDER BY {kind}_id FOR UPDATE SKIP LOCKED
), held AS MATERIALIZED (
    SELECT {kind}_id FROM prm_{kind}_pending WHERE {kind}_id = ANY ($2::bigint[])
    EXCEPT SELECT {kind}_id FROM were_pending
), locked AS MATERIALIZED (
    SELECT id FROM prm_{kind} WHERE id = ANY ($2::bigint[]) AND id NOT IN (SELECT {kind}_id FROM held)
    ORDER BY id FOR UPDATE SKIP LOCKED
), created AS (
    INSERT INTO prm_{kind} (id, seed, app_id, status, version, created_at)
    SELECT id, seed, $5, CASE WHEN gone THEN 'DELETED' ELSE stage END, version, now() FROM input WHERE read_version = 0
), changed AS (
    UPDATE prm_{kind} a SET
        status = CASE WHEN i.gone THEN 'DELETED' ELSE i.stage END, version = i.version, updated_at = now()
    FROM input i
    WHERE a.id = i.id AND i.version > i.read_version AND a.version = i.read_version
      AND a.id = ANY (ARRAY(SELECT id FROM locked))
    RETURNING a.id, a.seed, a.app_id, i.version - i.read_version AS steps, i.gone
), placed AS MATERIALIZED (
    SELECT array_agg(id ORDER BY place) AS ids, array_agg(seed ORDER BY place) AS seeds,
           array_agg(read_version = 0 OR id = ANY (ARRAY(SELECT id FROM changed)) ORDER BY place) AS written,
           array_agg(version = read_version ORDER BY place) AS unchanged
    FROM input
), events AS (
    INSERT INTO prm_{kind}_event (
        {kind}_id, version, event_type, event_data, seed, app_id, created_at, traceparent, cause, format
    )
    SELECT p.ids[e.place], e.version, e.event_type, e.event_data::jsonb, p.seeds[e.place], $5, now(), e.traceparent,
           e.cause, $8
    FROM placed p,
         unnest($3::tandem_draft_event_v1[]) AS e (place, version, event_type, event_data, traceparent, cause)
    WHERE p.written[e.place]
), keys AS (
    INSERT INTO prm_{kind}_key (key, fingerprint, {kind}_id, version)
    SELECT sha256(convert_to(k.key, 'UTF8')), k.fingerprint, p.ids[k.place], k.version
    FROM (SELECT set_config('lock_timeout', $7::text, true) WHERE $7 IS NOT NULL) limited, placed p,
         unnest($4::tandem_draft_key_v1[]) AS k (key, fingerprint, place, version)
    WHERE p.written[k.place] OR p.unchanged[k.place]
), pending AS (
    INSERT INTO prm_{kind}_pending ({kind}_id, version, incarnation, created_at)
    SELECT id, version, $6, now() FROM input WHERE read_version = 0 OR id = ANY (ARRAY(SELECT id FROM changed))
    ON CONFLICT ({kind}_id) DO UPDATE SET
        version = excluded.version, incarnation = excluded.incarnation, created_at = excluded.created_at
), letters AS (
    DELETE FROM prm_{kind}_dead_letter WHERE {kind}_id = ANY (ARRAY(SELECT id FROM changed)) RETURNING {kind}_id
), counts AS (
    INSERT INTO prm_{kind}_count AS c (
        seed, app_id, backend, total, updated, deleted, synchronized, dead_letters, first_created_at, last_created_at
    )
    SELECT seed, app_id, pg_backend_pid(), sum(total), sum(updated), sum(deleted), sum(synchronized), sum(letters),
           min(created_at), max(created_at)
    FROM (
        SELECT seed, $5 AS app_id, 1 AS total, version - 1 AS updated, 0 AS deleted, 0 AS synchronized, 0 AS letters,
               now() AS created_at
        FROM input WHERE read_version = 0
        UNION ALL
        SELECT seed, app_id, 0, steps - gone::integer, gone::integer,
               -(id NOT IN (SELECT {kind}_id FROM were_pending) AND id NOT IN (SELECT {kind}_id FROM letters))::integer,
               -(id IN (SELECT {kind}_id FROM letters))::integer, NULL
        FROM changed
    ) each GROUP BY seed, app_id
    ON CONFLICT (seed, app_id, backend) DO UPDATE SET
        total = c.total + excluded.total, updated = c.updated + excluded.updated,
        deleted = c.deleted + excluded.deleted, synchronized = c.synchronized + excluded.synchronized,
        dead_letters = c.dead_letters + excluded.dead_letters,
        first_created_at = least(c.first_created_at, excluded.first_created_at),
        last_created_at = greatest(c.last_created_at, excluded.last_created_at)
)
SELECT i.place::integer AS place, i.id, now() AS at
FROM input i, placed p WHERE p.written[i.place] ORDER BY i.place;

-- name: read
-- Aggregates as they are now, each with the state that its rows make; of a deleted one the state is null.
SELECT a.id, a.seed, a.app_id, a.version, a.status, a.created_at, a.updated_at, s.state::text AS state, e.traceparent
FROM unnest($1::bigint[]) AS given (id)
CROSS JOIN LATERAL (SELECT * FROM prm_{kind} WHERE id = given.id LIMIT 1) a
LEFT JOIN LATERAL (
    SELECT state FROM prm_{kind}_state WHERE id = given.id AND a.status <> 'DELETED' LIMIT 1
) s ON true
LEFT JOIN LATERAL (
    SELECT traceparent FROM prm_{kind}_event
    WHERE {kind}_id = given.id AND version = a.version AND event_type <> 'SYNCRONIZED' LIMIT 1
) e ON true;

-- name: read_rows
-- Aggregates as they are now, in order of ids, with what is left to do of each: those of the ids $5, or (null) at most $3
-- with ids above $1 and up to $2. Of other runs than $4 nothing but ids, runs and versions is read.
SELECT a.id, a.seed, a.version, a.app_id, a.status, a.created_at, a.updated_at, w.is_wanted, s.state::text AS state,
       p.{kind}_id IS NOT NULL AS is_pending, d.{kind}_id IS NOT NULL AS is_dead_letter, NULL::text AS traceparent
FROM unnest(coalesce($5::bigint[], ARRAY(
         SELECT id FROM prm_{kind} WHERE id > $1::bigint AND id <= $2::bigint ORDER BY id LIMIT $3::integer
     ))) WITH ORDINALITY AS given (id, place)
CROSS JOIN LATERAL (SELECT * FROM prm_{kind} WHERE id = given.id LIMIT 1) a
CROSS JOIN LATERAL (SELECT $4::text IS NULL OR a.seed = $4 AS is_wanted) w
LEFT JOIN LATERAL (
    SELECT state FROM prm_{kind}_state WHERE id = given.id AND w.is_wanted AND a.status <> 'DELETED' LIMIT 1
) s ON true
LEFT JOIN LATERAL (SELECT {kind}_id FROM prm_{kind}_pending WHERE {kind}_id = given.id LIMIT 1) p ON true
LEFT JOIN LATERAL (SELECT {kind}_id FROM prm_{kind}_dead_letter WHERE {kind}_id = given.id LIMIT 1) d ON true
ORDER BY given.place;

-- name: find_by_keys
-- What commands with these keys have led to: the version of an aggregate, with the events up to it, or a rejection; or
-- which other cell has claimed a key (delivery.sql, claim_keys).
SELECT given.key, k.fingerprint, k.version, k.rejection, CASE WHEN k.{kind}_id < 0 THEN -1 - k.{kind}_id END AS claimed_by,
       a.id, a.seed, a.app_id, a.created_at, e.events
FROM unnest($1::text[]) AS given (key)
CROSS JOIN LATERAL (SELECT * FROM prm_{kind}_key WHERE key = sha256(convert_to(given.key, 'UTF8')) LIMIT 1) k
LEFT JOIN LATERAL (SELECT * FROM prm_{kind} WHERE id = k.{kind}_id LIMIT 1) a ON true
CROSS JOIN LATERAL (
    SELECT json_agg(json_build_object(
               'version', version, 'event_type', event_type, 'format', format, 'event_data', event_data::text,
               'seed', seed, 'app_id', app_id, 'created_at', created_at, 'cause', cause) ORDER BY version) AS events
    FROM prm_{kind}_event WHERE {kind}_id = a.id AND version <= k.version AND event_type <> 'SYNCRONIZED'
) e;

-- name: keep_rejection
-- Keeps for good that the command with this key was rejected, unless the key stands for something already.
INSERT INTO prm_{kind}_key (key, fingerprint, {kind}_id, version, rejection)
VALUES (sha256(convert_to($1, 'UTF8')), $2, 0, 0, $3)
ON CONFLICT DO NOTHING;

-- name: find_held_keys
-- Those of these keys that a transaction has inserted which is still open; waits for none.
SELECT * FROM tandem_{kind}_keys_held($1::text[]);

-- name: find_events
-- All events of one, in order.
SELECT version, event_type, format, event_data::text AS event_data, seed, app_id, created_at, cause
FROM prm_{kind}_event WHERE {kind}_id = $1 ORDER BY version, id;

-- name: read_events
-- At most 2,000 events of the whole log, in order, after the one of this id, version and type.
SELECT {kind}_id, version, event_type, format, event_data::text AS event_data, seed, app_id, created_at, cause
FROM prm_{kind}_event WHERE ({kind}_id, version, event_type) > ($1::bigint, $2::integer, $3::text)
ORDER BY {kind}_id, version, event_type LIMIT 2000;
