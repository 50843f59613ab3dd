-- additive: yes
-- What a lab may read of the command side: views, so that tables can change without it.

-- Exact counts of each run and instance.
CREATE VIEW lab_run AS
SELECT seed, app_id, sum(total)::bigint AS users, sum(synchronized)::bigint AS synchronized,
       sum(dead_letters)::bigint AS dead_letters
FROM prm_user_count GROUP BY seed, app_id;

-- The users that are on their way to MongoDB, and which instance has each in hand (null: none that is known).
CREATE VIEW lab_pending AS
SELECT p.user_id, u.seed, i.app_id AS held_by
FROM prm_user_pending p
JOIN prm_user u ON u.id = p.user_id
LEFT JOIN tandem_instance i ON i.incarnation = p.incarnation;

-- Each user's address and last stage.
CREATE VIEW lab_address AS SELECT id, email, status::text AS status FROM prm_user;

-- When MongoDB's acknowledgement of each user was recorded.
CREATE VIEW lab_synchronized AS
SELECT user_id, seed, created_at AS synchronized_at FROM prm_user_event WHERE event_type = 'SYNCRONIZED';

-- The same beside when the user was created.
CREATE VIEW lab_lag AS
SELECT u.id, u.seed, u.created_at, s.synchronized_at FROM prm_user u JOIN lab_synchronized s ON s.user_id = u.id;

-- Each user with its stages, the state in its event CREATED, and the same state put together from the normalized
-- rows. The two must be equal, apart from what is null.
CREATE VIEW lab_user AS
SELECT u.id, u.seed, u.idempotency_key, u.version, u.status::text AS status,
       p.user_id IS NOT NULL AS pending, d.user_id IS NOT NULL AS dead,
       e.created, e.synchronized, e.state,
       jsonb_build_object(
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
       ) AS rows
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
) e;
