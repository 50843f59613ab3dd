-- additive: yes
-- Updates, deletions and erasures: versions of users beyond the first one.

ALTER TYPE user_stage ADD VALUE 'ERASED';

-- When the version that a user has now was committed; null for the first one. A deleted user keeps its rows and has
-- the status DELETED for good; an erased one has nothing in them but its id and its run.
ALTER TABLE prm_user ADD COLUMN updated_at timestamptz;

-- The number of the format that event_data has (user_command/event_log.py).
ALTER TABLE prm_user_event ADD COLUMN format smallint NOT NULL DEFAULT 1;

ALTER TABLE prm_user_count
    ADD COLUMN updated bigint NOT NULL DEFAULT 0,
    ADD COLUMN deleted bigint NOT NULL DEFAULT 0;

-- Idempotency keys: which version of which user a command with this key has led to. A key is kept as its SHA-256, so
-- that it can stay when a person is erased, whatever the client had put into it. prm_user.idempotency_key goes on
-- beside it for programs of the version before, which know no other place.
CREATE TABLE prm_user_key (
    key         bytea PRIMARY KEY,
    fingerprint bytea,
    user_id     bigint NOT NULL REFERENCES prm_user NOT ENFORCED,
    version     integer NOT NULL
);
-- Whoever erases a user looks for its keys.
CREATE INDEX prm_user_key_user ON prm_user_key (user_id);

-- As tandem_keys_held, but for keys of all commands.
CREATE FUNCTION tandem_user_keys_held(keys text[]) RETURNS SETOF text
LANGUAGE plpgsql SET lock_timeout = '1ms' AS $$
DECLARE
    given text;
BEGIN
    FOREACH given IN ARRAY keys LOOP
        BEGIN
            INSERT INTO prm_user_key (key, user_id, version) VALUES (sha256(convert_to(given, 'UTF8')), 0, 0);
            RAISE EXCEPTION USING ERRCODE = 'TD001';
        EXCEPTION
            WHEN SQLSTATE 'TD001' OR unique_violation THEN NULL;
            WHEN lock_not_available THEN RETURN NEXT given;
        END;
    END LOOP;
END $$;

-- What a user's rows are made of, for create_users and change_users (users.sql): rows.UserRow has the same fields in
-- the same order. A field that comes later makes a `user_row_v2`: programs of the version before go on with this one.
CREATE TYPE user_row_v1 AS (
    email text, gender text, title text, first_name text, last_name text,
    birth_at timestamptz, birth_age smallint, registered_at timestamptz, registered_age smallint,
    phone text, cell text, identity_name text, identity_value text, nationality text,
    has_location boolean, street_number integer, street_name text, city text, state text, postcode text,
    country_id integer, latitude text, longitude text, timezone_id integer,
    has_login boolean, uuid text, username text,
    has_picture boolean, large text, medium text, thumbnail text,
    seed text, event_data text, idempotency_key text, fingerprint bytea, traceparent text
);

-- A user's state put together from its rows, in the users' wire format; members without a value are null.
CREATE VIEW prm_user_state AS
SELECT u.id, json_build_object(
    'email', u.email, 'gender', u.gender, 'phone', u.phone, 'cell', u.cell, 'nat', u.nationality,
    'name', json_build_object('title', u.title, 'first', u.first_name, 'last', u.last_name),
    'dob', json_build_object('age', u.birth_age, 'date', CASE u.birth_at
        WHEN '-infinity' THEN '0001-01-01T00:00:00' WHEN 'infinity' THEN '9999-12-31T23:59:59.999999'
        ELSE to_char(u.birth_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US') END),
    'registered', json_build_object('age', u.registered_age, 'date', CASE u.registered_at
        WHEN '-infinity' THEN '0001-01-01T00:00:00' WHEN 'infinity' THEN '9999-12-31T23:59:59.999999'
        ELSE to_char(u.registered_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US') END),
    'id', json_build_object('name', u.identity_name, 'value', u.identity_value),
    'login', (
        SELECT json_build_object('uuid', i.uuid, 'username', i.username)
        FROM prm_user_login i WHERE i.user_id = u.id),
    'picture', (
        SELECT json_build_object('large', f.large, 'medium', f.medium, 'thumbnail', f.thumbnail)
        FROM prm_user_picture f WHERE f.user_id = u.id),
    'location', (
        SELECT json_build_object(
            'street', json_build_object('number', l.street_number, 'name', l.street_name),
            'city', l.city, 'state', l.state, 'postcode', l.postcode,
            'country', (SELECT c.name FROM prm_country c WHERE c.id = l.country_id),
            'coordinates', json_build_object('latitude', l.latitude, 'longitude', l.longitude),
            'timezone', (
                SELECT json_build_object('offset', t.utc_offset, 'description', t.description)
                FROM prm_timezone t WHERE t.id = l.timezone_id))
        FROM prm_user_location l WHERE l.user_id = u.id)
) AS state
FROM prm_user u;

-- How each user's history goes: what its changes were, in order, and which versions MongoDB has acknowledged.
CREATE VIEW lab_event AS
SELECT user_id, seed, version, event_type::text AS event_type, format, event_data, app_id, created_at
FROM prm_user_event;

-- How many versions of users of each run were committed and acknowledged.
CREATE VIEW lab_change AS
SELECT seed, sum(total)::bigint AS created, sum(updated)::bigint AS updated, sum(deleted)::bigint AS deleted
FROM prm_user_count GROUP BY seed;
