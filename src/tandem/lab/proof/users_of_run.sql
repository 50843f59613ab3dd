-- The users of a run in the order of their ids: their stages, the state in CREATED, and whether the normalized rows,
-- put together again, say the same. The columns are those of compare.Row.
SELECT u.id, u.idempotency_key, u.version, u.status, p.user_id IS NOT NULL, d.user_id IS NOT NULL,
       e.created, e.synchronized, e.state::text,
       jsonb_strip_nulls(e.state) IS NOT DISTINCT FROM jsonb_strip_nulls(jsonb_build_object(
           'email', u.email, 'gender', u.gender, 'phone', u.phone, 'cell', u.cell, 'nat', u.nationality,
           'name', jsonb_build_object('title', u.title, 'first', u.first_name, 'last', u.last_name),
           'dob', jsonb_build_object(
               'date', to_char(u.birth_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'), 'age', u.birth_age),
           'registered', jsonb_build_object(
               'date', to_char(u.registered_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
               'age', u.registered_age),
           'id', jsonb_build_object('name', u.identity_name, 'value', u.identity_value),
           'login', CASE WHEN i.user_id IS NOT NULL THEN
               jsonb_build_object('uuid', i.uuid, 'username', i.username) END,
           'picture', CASE WHEN f.user_id IS NOT NULL THEN
               jsonb_build_object('large', f.large, 'medium', f.medium, 'thumbnail', f.thumbnail) END,
           'location', CASE WHEN l.user_id IS NOT NULL THEN jsonb_build_object(
               'street', jsonb_build_object('number', l.street_number, 'name', l.street_name),
               'city', l.city, 'state', l.state, 'country', c.name, 'postcode', l.postcode,
               'coordinates', jsonb_build_object('latitude', l.latitude, 'longitude', l.longitude),
               'timezone', jsonb_build_object('offset', t.utc_offset, 'description', t.description)) END
       ))
FROM prm_user u
LEFT JOIN prm_user_pending p ON p.user_id = u.id
LEFT JOIN prm_user_dead_letter d ON d.user_id = u.id
LEFT JOIN prm_user_login i ON i.user_id = u.id
LEFT JOIN prm_user_picture f ON f.user_id = u.id
LEFT JOIN prm_user_location l ON l.user_id = u.id
LEFT JOIN prm_country c ON c.id = l.country_id
LEFT JOIN prm_timezone t ON t.id = l.timezone_id
CROSS JOIN LATERAL (
    SELECT count(*) FILTER (WHERE event_type = 'CREATED') AS created,
           count(*) FILTER (WHERE event_type = 'SYNCRONIZED') AS synchronized,
           (array_agg(event_data) FILTER (WHERE event_type = 'CREATED'))[1] AS state
    FROM prm_user_event WHERE user_id = u.id
) e
WHERE u.seed = $1
ORDER BY u.id
