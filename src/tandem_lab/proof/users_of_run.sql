-- The users of a run in the order of their ids, each with its rows and its events. The columns are those of judge.Row.
SELECT u.id, u.idempotency_key, u.version, u.status, u.pending, u.dead, u.rows::text,
       (SELECT coalesce(json_agg(json_build_array(version, event_type, event_data) ORDER BY version), '[]')::text
        FROM lab_event WHERE user_id = u.id)
FROM lab_user u WHERE u.seed = $1 ORDER BY u.id
