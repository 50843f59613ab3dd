-- What is recorded of differences between the stores.

-- name: ask_for_repairs
-- Records differences ($1 to $5) that are to be repaired, for the reason $6, but for those that are being repaired already.
INSERT INTO tandem_repair (kind, id, what, version, fields, reason)
SELECT kind, id, what, version, string_to_array(fields, ' '), $6
FROM unnest($1::text[], $2::text[], $3::text[], $4::integer[], $5::text[]) AS d (kind, id, what, version, fields)
ON CONFLICT (kind, id) WHERE repaired_at IS NULL DO NOTHING;

-- name: claim_repairs
-- Takes at most $1 repairs that are to be tried now: each time later than the time before, up to a minute. Those that
-- another instance takes just now are left out.
WITH due AS MATERIALIZED (
    SELECT number FROM tandem_repair
    WHERE repaired_at IS NULL
      AND (tried_at IS NULL OR tried_at < now() - least(interval '0.2 s' * 2 ^ least(tries, 10), interval '1 min'))
    ORDER BY number LIMIT $1 FOR UPDATE SKIP LOCKED
)
UPDATE tandem_repair SET tried_at = now(), tries = tries + 1
WHERE number = ANY (ARRAY(SELECT number FROM due))
RETURNING number, kind, id;

-- name: keep_document
-- Keeps the document that is about to be removed ($2, extended JSON) with its repair.
UPDATE tandem_repair SET document = $2 WHERE number = $1 AND repaired_at IS NULL;

-- name: end_repairs
-- Records that both sides are equal there.
UPDATE tandem_repair SET repaired_at = now(), error = NULL
WHERE number = ANY ($1::bigint[]) AND repaired_at IS NULL;

-- name: repairs_failed
-- Records why they are not healed yet.
UPDATE tandem_repair r SET error = f.error
FROM unnest($1::bigint[], $2::text[]) AS f (number, error)
WHERE r.number = ANY ($1) AND r.number = f.number AND r.repaired_at IS NULL;

-- name: forget_documents
-- Forgets removed documents after 30 days.
UPDATE tandem_repair SET document = NULL WHERE document IS NOT NULL AND repaired_at < now() - interval '30 days';

-- name: open_repairs
-- How many repairs are still to be done, and when the last one was tried or done.
SELECT count(*) AS open, max(tried_at) AS tried_at FROM tandem_repair WHERE repaired_at IS NULL;

-- name: list_repairs
-- The last $1 repairs, the latest first; with their documents if $2.
SELECT number, kind, id, what, version, fields, reason, found_at, tries, error, repaired_at,
       CASE WHEN $2::boolean THEN document END AS document
FROM tandem_repair ORDER BY number DESC LIMIT $1;
