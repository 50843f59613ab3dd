-- Writes one copy of each original, synchronized: its id is $1 and the original's place, its address has seven characters
-- more before the @, which are different ones for each. So addresses stay spread as those of new users are: with the
-- difference in front, new ones would come to a part of the index where few are.
WITH one AS MATERIALIZED (
    SELECT id AS old, $1::bigint + place AS id,
           '.' || left(md5(($1::bigint + place)::text), 6) || '@' AS mark FROM lab_original
), users AS (
    INSERT INTO prm_user (
        id, email, seed, app_id, status, version, created_at, gender, title, first_name, last_name, birth_at, birth_age,
        registered_at, registered_age, phone, cell, identity_name, identity_value, nationality
    )
    SELECT o.id, replace(u.email, '@', o.mark), 'lab-copies', u.app_id, u.status, u.version, u.created_at, u.gender, u.title,
           u.first_name, u.last_name, u.birth_at, u.birth_age, u.registered_at, u.registered_age, u.phone, u.cell,
           u.identity_name, u.identity_value, u.nationality
    FROM one o JOIN prm_user u ON u.id = o.old ORDER BY o.id
), locations AS (
    INSERT INTO prm_user_location (
        user_id, street_number, street_name, city, state, postcode, country_id, latitude, longitude, timezone_id
    )
    SELECT o.id, l.street_number, l.street_name, l.city, l.state, l.postcode, l.country_id, l.latitude, l.longitude,
           l.timezone_id
    FROM one o JOIN prm_user_location l ON l.user_id = o.old ORDER BY o.id
), logins AS (
    INSERT INTO prm_user_login (user_id, uuid, username)
    SELECT o.id, l.uuid, l.username FROM one o JOIN prm_user_login l ON l.user_id = o.old ORDER BY o.id
), pictures AS (
    INSERT INTO prm_user_picture (user_id, large, medium, thumbnail)
    SELECT o.id, p.large, p.medium, p.thumbnail FROM one o JOIN prm_user_picture p ON p.user_id = o.old ORDER BY o.id
)
INSERT INTO prm_user_event (user_id, version, event_type, event_data, seed, app_id, created_at, format)
SELECT o.id, e.version, e.event_type,
       CASE WHEN e.event_type = 'CREATED'
            THEN jsonb_set(e.event_data, '{email}', to_jsonb(replace(e.event_data ->> 'email', '@', o.mark))) END,
       'lab-copies', e.app_id, e.created_at, e.format
FROM one o JOIN prm_user_event e ON e.user_id = o.old ORDER BY o.id, e.id;
