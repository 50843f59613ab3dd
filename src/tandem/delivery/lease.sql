-- The queries of the lease. They know no kind of work.

-- name: register_instance
-- Begins an incarnation: one life of one instance. Rows of instances long gone are cleared away: work that is
-- still pending in their name is claimed like that of any other life whose lease has ended.
WITH gone AS (
    DELETE FROM tandem_instance WHERE incarnation = ANY (ARRAY(
        SELECT incarnation FROM tandem_instance WHERE lease_until < now() - interval '1 hour' FOR UPDATE SKIP LOCKED
    ))
)
INSERT INTO tandem_instance (app_id, lease_until, shapes)
VALUES ($1, now() + make_interval(secs => $2), $3::text::jsonb)
RETURNING incarnation, (SELECT coalesce(max(epoch), 0) FROM tandem_projection) AS epoch;

-- name: renew_lease
-- Prolongs a lease by this server's clock, and says how the instance is. After a failover, the number of a life that
-- was lost may have been given to another instance. Answers the epoch of projections that there is by now.
UPDATE tandem_instance
SET lease_until = now() + make_interval(secs => $2), renewed_at = now(), waiting = $3, ready = $4,
    in_hand = $5::text::jsonb, in_hand_of = $6::text::jsonb, projection_epoch = $8
WHERE incarnation = $1 AND app_id = $7
RETURNING incarnation, (SELECT coalesce(max(epoch), 0) FROM tandem_projection) AS epoch;

-- name: end_lease
-- Ends a lease at once, so that others need not wait for it to run out.
UPDATE tandem_instance SET lease_until = now(), ready = false WHERE incarnation = $1;
