-- The users of a run in the order of their ids. The columns are those of compare.Row.
SELECT id, idempotency_key, version, status, pending, dead, created, synchronized, state::text,
       jsonb_strip_nulls(state) IS NOT DISTINCT FROM jsonb_strip_nulls(rows)
FROM lab_user WHERE seed = $1 ORDER BY id
