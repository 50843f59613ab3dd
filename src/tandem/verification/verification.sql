-- What is recorded of differences between the stores.

-- name: ask_for_repairs
-- Records differences ($1 to $5) that are to be repaired, for the reason $6, but for those that are being repaired already.
INSERT INTO tandem_repair (kind, id, what, version, fields, reason)
SELECT kind, id, what, version, string_to_array(fields, ' '), $6
FROM unnest($1::text[], $2::text[], $3::text[], $4::integer[], $5::text[]) AS d (kind, id, what, version, fields)
ON CONFLICT (kind, id) WHERE repaired_at IS NULL DO NOTHING;

-- name: claim_repairs
-- Takes at most $1 repairs of these kinds ($2) that are to be tried now: each time later than the time before, up to a minute. Those that
-- another instance takes just now are left out.
WITH due AS MATERIALIZED (
    SELECT number FROM tandem_repair
    WHERE repaired_at IS NULL AND kind = ANY ($2::text[])
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
-- How many repairs of these kinds ($1) are still to be done, and when the last one was tried or done.
SELECT count(*) AS open, max(tried_at) AS tried_at FROM tandem_repair
WHERE repaired_at IS NULL AND kind = ANY ($1::text[]);

-- name: list_repairs
-- The last $1 repairs, the latest first; with their documents if $2.
SELECT number, kind, id, what, version, fields, reason, found_at, tries, error, repaired_at,
       CASE WHEN $2::boolean THEN document END AS document
FROM tandem_repair ORDER BY number DESC LIMIT $1;

-- name: begin_chunks
-- Begins with one chunk of all ids for each of these kinds that has none.
INSERT INTO tandem_verified (kind, after, through)
SELECT kind, 0, $2 FROM unnest($1::text[]) AS k (kind) ON CONFLICT DO NOTHING;

-- name: claim_chunk
-- Takes the chunk whose last verification began longest ago, at least $4 seconds, in the name of the life $1; first those
-- that nobody has begun. One that cannot be verified to its end so comes round like all others. With $3, those before them in which something differed. Chunks of lives that have ended are free.
WITH alive AS MATERIALIZED (
    SELECT incarnation FROM tandem_instance WHERE lease_until > now()
), chosen AS MATERIALIZED (
    SELECT kind, after FROM tandem_verified v
    WHERE kind = ANY ($2::text[])
      AND (v.incarnation IS NULL OR v.incarnation = $1
           OR NOT EXISTS (SELECT FROM alive a WHERE a.incarnation = v.incarnation))
      AND (claimed_at IS NULL OR claimed_at < now() - make_interval(secs => $4))
    ORDER BY CASE WHEN $3::boolean AND missing + surplus + lost + stale + differing > 0 THEN 0 ELSE 1 END,
             claimed_at NULLS FIRST, kind, after
    LIMIT 1 FOR UPDATE SKIP LOCKED
)
UPDATE tandem_verified v SET incarnation = $1, claimed_at = now()
FROM chosen c WHERE v.kind = c.kind AND v.after = c.after
RETURNING v.kind, v.after, v.through;

-- name: split_chunk
-- Lets the chunk of this kind ($1) after $2 end at $3. What comes above is a chunk of its own.
WITH shortened AS (
    UPDATE tandem_verified SET through = $3 WHERE kind = $1 AND after = $2 AND through > $3
    RETURNING kind
)
INSERT INTO tandem_verified (kind, after, through) SELECT kind, $3, $4 FROM shortened ON CONFLICT DO NOTHING;

-- name: record_chunk
-- Records what was found in a chunk, if it is still ours: the claim is when the verification began.
UPDATE tandem_verified SET
    incarnation = NULL, verified_at = claimed_at, checked = $4, equal = $5, pending = $6, set_aside = $7,
    missing = $8, surplus = $9, lost = $10, stale = $11, differing = $12
WHERE kind = $1 AND after = $2 AND incarnation = $3;

-- name: release_chunk
-- Gives a chunk back that could not be verified to its end.
UPDATE tandem_verified SET incarnation = NULL WHERE kind = $1 AND after = $2 AND incarnation = $3;

-- name: verified
-- What was found in all chunks of each of these kinds, and how long the oldest verification is ago: of what was never
-- verified, since when that is so.
SELECT kind, sum(checked)::bigint AS checked, sum(equal)::bigint AS equal, sum(pending)::bigint AS pending,
       sum(set_aside)::bigint AS set_aside, sum(missing)::bigint AS missing, sum(surplus)::bigint AS surplus,
       sum(lost)::bigint AS lost, sum(stale)::bigint AS stale, sum(differing)::bigint AS differing,
       bool_and(verified_at IS NOT NULL) AS is_whole,
       extract(epoch FROM now() - min(coalesce(verified_at, created_at)))::float8 AS age_seconds
FROM tandem_verified WHERE kind = ANY ($1::text[]) GROUP BY kind ORDER BY kind;
