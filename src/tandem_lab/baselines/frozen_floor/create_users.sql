-- Writes a batch of users, normalized, with their CREATED events and their pending rows, in one transaction.
WITH input AS MATERIALIZED (
    SELECT nextval('prm_user_id_seq') AS id, now() AS created_at, u.*
    FROM unnest($1::new_user[]) WITH ORDINALITY AS u (
        email, seed, event_data,
        gender, title, first_name, last_name,
        birth_at, birth_age, registered_at, registered_age,
        phone, cell, identity_name, identity_value, nationality,
        has_location, street_number, street_name, city, state, postcode,
        country_id, latitude, longitude, timezone_id,
        has_login, uuid, username,
        has_picture, large, medium, thumbnail,
        idempotency_key, fingerprint,
        place
    )
), users AS (
    INSERT INTO prm_user
    SELECT id, email, seed, $2, 'CREATED', 1, created_at, gender, title, first_name, last_name,
           birth_at, birth_age, registered_at, registered_age, phone, cell,
           identity_name, identity_value, nationality, idempotency_key, fingerprint
    FROM input
), locations AS (
    INSERT INTO prm_user_location
    SELECT id, street_number, street_name, city, state, postcode,
           country_id, latitude, longitude, timezone_id
    FROM input WHERE has_location
), logins AS (
    INSERT INTO prm_user_login SELECT id, uuid, username FROM input WHERE has_login
), pictures AS (
    INSERT INTO prm_user_picture SELECT id, large, medium, thumbnail FROM input WHERE has_picture
), events AS (
    INSERT INTO prm_user_event (user_id, version, event_type, event_data, seed, app_id, created_at)
    SELECT id, 1, 'CREATED', event_data::jsonb, seed, $2, created_at FROM input
), pending AS (
    INSERT INTO prm_user_pending (user_id, version, incarnation, created_at)
    SELECT id, 1, $3, created_at FROM input
), counts AS (
    INSERT INTO prm_user_count AS c (seed, app_id, backend, total, first_created_at, last_created_at)
    SELECT seed, $2, pg_backend_pid(), count(*), min(created_at), max(created_at) FROM input GROUP BY seed
    ON CONFLICT (seed, app_id, backend) DO UPDATE SET
        total = c.total + excluded.total,
        first_created_at = least(c.first_created_at, excluded.first_created_at),
        last_created_at = greatest(c.last_created_at, excluded.last_created_at)
)
SELECT id, created_at FROM input ORDER BY place;
