-- The queries of projections. What changes a row is run by `tandem rebuild` alone, as the owner, under its lock.

-- name: projections
-- All rows, and the epoch of the last change.
SELECT kind, epoch, live, live_shape, other, other_shape, phase, highest, copied_through,
       max(epoch) OVER () AS last_epoch
FROM tandem_projection;

-- name: lock_rebuild
-- Whether this session is the one that may change rows from now on. The lock ends with the session.
SELECT has_table_privilege('tandem_projection', 'INSERT, UPDATE') AS is_owners,
       pg_try_advisory_lock(hashtext('tandem rebuild')) AS is_ours;

-- name: announce
-- Adds a generation of this shape ($2) that all documents are written to, besides the live one.
INSERT INTO tandem_projection AS p (kind, epoch, other, other_shape, phase, highest)
VALUES ($1, (SELECT coalesce(max(epoch), 0) + 1 FROM tandem_projection), 2, $2, 'announced', 2)
ON CONFLICT (kind) DO UPDATE SET epoch = excluded.epoch, other = p.highest + 1, other_shape = excluded.other_shape,
    phase = 'announced', highest = p.highest + 1, copied_through = 0, changed_at = now()
WHERE p.other IS NULL;

-- name: require
-- From now on no flow ends whose document was not written to that generation. Who follows it knows it already.
UPDATE tandem_projection SET phase = 'building', required_epoch = epoch, changed_at = now()
WHERE kind = $1 AND phase = 'announced';

-- name: note_copied
-- All rows up to this id were copied.
UPDATE tandem_projection SET copied_through = $2 WHERE kind = $1 AND phase = 'building';

-- name: switch
-- The generation that was built ($2: building), or the one before it ($2: previous), is read from now on.
UPDATE tandem_projection SET epoch = (SELECT max(epoch) + 1 FROM tandem_projection), live = other,
    live_shape = other_shape, other = live, other_shape = live_shape, phase = 'previous', changed_at = now()
WHERE kind = $1 AND phase = $2;

-- name: remove
-- Nothing is written any more to the generation that is not live.
UPDATE tandem_projection SET epoch = (SELECT max(epoch) + 1 FROM tandem_projection), other = NULL, other_shape = NULL,
    phase = NULL, changed_at = now()
WHERE kind = $1 AND other IS NOT NULL;

-- name: not_following
-- The instances that live and do not follow the rows as they are now. After a restore of PostgreSQL, one may follow a
-- higher epoch for a moment.
SELECT app_id FROM tandem_instance
WHERE lease_until > now() AND projection_epoch <> (SELECT coalesce(max(epoch), 0) FROM tandem_projection)
ORDER BY app_id;

-- name: not_knowing
-- The instances that live and whose program does not know this shape ($2) of a kind ($1).
SELECT app_id FROM tandem_instance
WHERE lease_until > now() AND coalesce((shapes ->> $1)::integer, 0) < $2 ORDER BY app_id;
