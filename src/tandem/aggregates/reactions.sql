-- What has to follow from events: tandem_reaction. {kind} is the kind whose events are read.

-- name: claim
-- Takes reactions of these names ($3) that no living instance has in hand, and our own that we do not have ($4: what we
-- have; null: take none of our own), at most $2. Rows that another transaction has locked are skipped.
WITH alive AS MATERIALIZED (
    SELECT incarnation FROM tandem_instance WHERE lease_until > now()
), chosen AS MATERIALIZED (
    SELECT ctid FROM tandem_reaction r
    WHERE reaction = ANY ($3) AND (not_before IS NULL OR not_before < now())
      AND CASE WHEN incarnation = $1
               THEN $4::text[] IS NOT NULL AND claimed_at < now() - interval '2 seconds'
                    AND concat_ws('/', id, version, reaction, event_type) <> ALL ($4::text[])
               ELSE NOT EXISTS (SELECT FROM alive a WHERE a.incarnation = r.incarnation) END
    ORDER BY id, version LIMIT $2
    FOR UPDATE SKIP LOCKED
)
UPDATE tandem_reaction SET incarnation = $1, claimed_at = now() WHERE ctid = ANY (ARRAY(SELECT ctid FROM chosen))
RETURNING reaction, kind, id, version, event_type;

-- name: events
-- The events of these ids, versions and types.
SELECT e.{kind}_id AS id, e.version, e.event_type::text AS event_type, e.format, e.event_data::text AS event_data, e.seed
FROM unnest($1::bigint[], $2::integer[], $3::text[]) AS given (id, version, event_type)
CROSS JOIN LATERAL (
    SELECT * FROM prm_{kind}_event
    WHERE {kind}_id = given.id AND version = given.version AND event_type::text = given.event_type LIMIT 1
) e;

-- name: finish
-- Removes reactions that are done, those that are in these hands.
DELETE FROM tandem_reaction WHERE incarnation = $5 AND ctid = ANY (ARRAY(
    SELECT found.ctid
    FROM unnest($1::text[], $2::bigint[], $3::integer[], $4::text[]) AS done (reaction, id, version, event_type)
    CROSS JOIN LATERAL (
        SELECT ctid FROM tandem_reaction r
        WHERE (r.id, r.version, r.reaction, r.event_type) = (done.id, done.version, done.reaction, done.event_type)
        LIMIT 1
    ) found
));

-- name: put_off
-- Leaves a reaction that failed alone for $6 seconds, and keeps why.
UPDATE tandem_reaction SET incarnation = 0, failures = failures + 1, error = $7,
       not_before = now() + make_interval(secs => $6)
WHERE reaction = $1 AND id = $2 AND version = $3 AND event_type = $4 AND incarnation = $5;

-- name: state
-- How many reactions are to be done, counted no further than 100,000, how old the oldest of them is, and one that
-- fails again and again.
SELECT count(*) AS pending, coalesce(extract(epoch FROM now() - min(created_at))::float8, 0) AS oldest_seconds,
       (SELECT reaction || ' of ' || kind || ' ' || id || ': ' || error
        FROM tandem_reaction WHERE failures >= 3 LIMIT 1) AS failing
FROM (SELECT created_at FROM tandem_reaction LIMIT 100000) first;
