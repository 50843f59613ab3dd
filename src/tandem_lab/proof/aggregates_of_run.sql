-- The aggregates of a run in the order of their ids, each with the state that its rows make and its events. {kind} is
-- their kind. The columns are the first ones of judge_aggregate.AggregateRow.
SELECT a.id, a.version, a.status, a.pending, a.dead, s.state::text,
       (SELECT coalesce(json_agg(json_build_array(version, event_type, event_data, cause) ORDER BY version), '[]')::text
        FROM lab_{kind}_event WHERE id = a.id)
FROM lab_{kind}_row a
LEFT JOIN LATERAL (SELECT state FROM prm_{kind}_state WHERE id = a.id AND a.status <> 'DELETED' LIMIT 1) s ON true
WHERE a.seed = $1 ORDER BY a.id
